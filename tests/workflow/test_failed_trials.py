"""A trial whose retraining always raises an exception: the study goes on, and the trial can be tried again later."""

import csv
import json
import subprocess
import sys

import pytest
from conftest import ENVIRONMENT
from studies import write_config

TRIALS, BROKEN, LAG = 6, 2, 3
STUDY = {
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 2},
    "optimize": {
        "trial_number": TRIALS,
        "lag": LAG,
        "parameters": [
            {"name": "retrain.hyperparameters.base_lr", "type": "uniform_float", "lower": 0.01, "upper": 0.1}
        ],
    },
    "promote": {"top": 1},
    "final": {"baseline": False},
}
STARTS = "    epochs = job.settings.nas.num_epochs_retrain or 1\n"
FAULT = (
    f'    if job.trial == {BROKEN} and job.stage == "retrain" and __import__("pathlib").Path("fault").exists():\n'
    '        raise ValueError("injected fault")\n'
)


def results_of(run):
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(run.glob("trial-*/result.json"))}


def times_of(run, *patterns):
    return {path: path.stat().st_mtime_ns for pattern in patterns for path in run.glob(pattern)}


def script(checkout, *arguments):
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=checkout.folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_study_goes_on_without_a_trial_that_fails_and_can_retry_it(checkout):
    module, run = checkout.folder / "workflow/nasmake/stages/retrain.py", checkout.folder / "results/tiny"
    source = module.read_text()
    assert source.count(STARTS) == 1
    module.write_text(source.replace(STARTS, STARTS + FAULT))
    (checkout.folder / "fault").touch()
    study = write_config(checkout.folder, STUDY)

    output = checkout.run("--configfile", study, "--cores", "2")  # fails unless the exit code is 0
    results = results_of(run)
    states = [result["state"] for result in results.values()]
    assert states == ["FAIL" if trial == BROKEN else "COMPLETE" for trial in range(TRIALS)]
    log = f"results/tiny/trial-{BROKEN:04d}/logs/retrain.log"
    reason = results[f"trial-{BROKEN:04d}"]["reason"]
    assert reason.startswith("retrain: ValueError: injected fault (retrain.py line ")
    assert reason.endswith(f"; log: {log}") and "Traceback" in (checkout.folder / log).read_text()
    assert f"{TRIALS} trials: {TRIALS - 1} completed, 1 failed" in output
    assert f"failed in retrain: trial {BROKEN}; ValueError: injected fault" in output
    assert BROKEN not in json.loads((run / "study/promoted.json").read_text())["trials"]
    with (run / "study/trials.csv").open() as stream:
        assert [row["reason"] for row in csv.DictReader(stream)] == [
            reason if trial == BROKEN else "" for trial in range(TRIALS)
        ]
    script(checkout, "scripts/make_report.py", "--run", "results/tiny")
    assert f"failed in retrain: trial {BROKEN}; ValueError: injected fault" in (run / "report.html").read_text()

    script(checkout, "scripts/retry_trial.py", str(BROKEN), "--run", "results/tiny")
    script(checkout, "scripts/give_up_trial.py", str(BROKEN), "--why", "no luck", "--run", "results/tiny")
    output = checkout.run("--configfile", study, "--cores", "2")
    assert f"failed in retrain: trial {BROKEN}; given up: no luck" in output
    assert results_of(run)[f"trial-{BROKEN:04d}"]["reason"] == "retrain: given up: no luck"

    (checkout.folder / "fault").unlink()
    kept = [f"trial-{trial:04d}/result.json" for trial in range(TRIALS) if trial != BROKEN]
    before = times_of(run, *kept, "shared/*.json")
    script(checkout, "scripts/retry_trial.py", str(BROKEN), "--configfile", study)
    output = checkout.run("--configfile", study, "--cores", "2")
    assert {result["state"] for result in results_of(run).values()} == {"COMPLETE"}
    assert f"{TRIALS} trials: {TRIALS} completed" in output
    assert times_of(run, *kept, "shared/*.json") == before
    assert "Nothing to be done" in checkout.run("--configfile", study, "--cores", "2")
