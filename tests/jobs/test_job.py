"""The command line and the settings of a job, and the end of a script (jobs.cli)."""

import json
import os
import signal
import subprocess
import sys

import pytest
from nasmake.core.declared import UndeclaredKeyError
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.jobs.cli import AlreadyDoneError, script
from nasmake.jobs.job import parse
from nasmake.pipeline.stages import STAGES
from small_jobs import make_job, settings


@pytest.fixture
def arguments(tmp_path, digits):
    """The command line of retraining trial 3."""
    observed = settings("retrain") | {"version": STAGES["retrain"].version}
    write_json(tmp_path / "suggestion.json", {"trial": 3, "params": {"retrain.weight_decay": 0.5, "initial_lr": 0.9}})
    write_json(tmp_path / "architecture.json", {"state": "COMPLETE"})
    return {
        "--settings": json.dumps(observed),
        "--manifest": str(digits / "manifest.json"),
        "--suggestion": str(tmp_path / "suggestion.json"),
        "--architecture": str(tmp_path / "architecture.json"),
        "--accelerator": "cpu",
        "--unit": str(tmp_path / "trial-0003"),
    }


def job_of(arguments, **changes):
    merged = arguments | {f"--{name}": value for name, value in changes.items()}
    argv = [part for name, value in merged.items() if value is not None for part in (name, str(value))]
    return parse("retrain", "text", argv, inputs=("architecture",))


def test_job_holds_settings_with_the_trials_parameters(arguments, digits, tmp_path):
    job = job_of(arguments)
    assert job.settings.retrain.weight_decay == 0.5
    with pytest.raises(UndeclaredKeyError, match="stage retrain reads supernet"):
        _ = job.settings.supernet.lr  # a key of another stage
    assert job.settings.nas.num_epochs_retrain == 2
    assert (job.stage, job.trial, job.version, job.dataset) == ("retrain", 3, STAGES["retrain"].version, digits)
    assert job.search_space is None and job.inputs == {"architecture": tmp_path / "architecture.json"}
    assert job.history("retrain") == tmp_path / "trial-0003" / "history" / "retrain.csv"


def test_shared_stage_has_no_trial(arguments):
    assert job_of(arguments, suggestion=None).trial is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"settings": "{"}, "--settings: not JSON"),
        ({"settings": "[1]"}, "--settings is [1]; expected a JSON object"),
        ({"settings": "[" * 5000}, "--settings: not JSON (nested too deep)"),
        ({"settings": '{"version": NaN}'}, "--settings: not JSON (NaN is no number of JSON)"),
        ({"settings": '{"processes": 1e9}'}, "--settings: processes is 1000000000.0; expected a whole number"),
        ({"settings": '{"search_space": 3}'}, "--settings: search_space is 3; expected its name and content"),
        ({"settings": '{"nas": {"sed": 1}}'}, "config: nas.sed: unknown key; did you mean seed?"),
        ({"settings": '{"retrain": {"weight_decay": -1}}'}, "config: retrain.weight_decay is -1; expected 0 or more"),
        ({"architecture": "nowhere.json"}, "nowhere.json: no such file; expected an artefact of an earlier stage"),
        ({"suggestion": "nowhere.json"}, "nowhere.json: no such file"),
    ],
)
def test_bad_argument_is_one_line(arguments, changes, message):
    with pytest.raises(InputError) as error:
        job_of(arguments | {"--suggestion": None}, **changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_fingerprint_stands_for_what_decides_the_result(tmp_path, digits, arguments):
    def made(folder="a", architecture=1, host="x", device="cpu", stage="retrain", **changes):
        unit = tmp_path / folder
        write_json(unit / "architecture.json", {"decisions": architecture, "provenance": {"host": host}})
        write_json(unit / "result.json", {})
        return make_job(stage, unit, digits, **changes).fingerprint(device)

    same = [made(), made(), made(folder="b"), made(host="y"), made(trainer__accelerator="mps"), made(run="other")]
    assert len(set(same)) == 1
    different = [
        made(architecture=2),
        made(device="cuda"),
        made(stage="retrain_final"),
        made(nas__seed=1),
        made(trainer__num_threads=2),
        made(retrain__weight_decay=0.1),
    ]
    assert len({same[0], *different}) == 7


def test_fingerprint_changes_with_the_data(tmp_path, digits):
    write_json(tmp_path / "architecture.json", {})
    other = tmp_path / "digits"
    write_json(other / "manifest.json", {"sha256": {"train_images.npy": "0"}})
    assert len({make_job("retrain", tmp_path, folder).fingerprint("cpu") for folder in (digits, other)}) == 2


# How a script ends.


def test_script_passes_arguments_on_and_returns():
    seen = []
    assert script(seen.append, ["--a"]) is None and seen == [["--a"]]


def failing(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize(
    "error, code, out, err",
    [
        (InputError("x: 1 is not allowed"), 1, "", "error: x: 1 is not allowed\n"),
        (KeyboardInterrupt(), 130, "", "interrupted; the last saved training state stays\n"),
        (SystemExit(143), 143, "", ""),
    ],
)
def test_script_ends_with_the_code(error, code, out, err, capsys):
    with pytest.raises(SystemExit) as ended:
        script(failing(error))
    assert ended.value.code == code and capsys.readouterr() == (out, err)


def test_script_whose_work_was_done_by_another_succeeds(capsys):
    script(failing(AlreadyDoneError("done by the process that was waited for")))
    assert capsys.readouterr().out == "done by the process that was waited for\n"


def test_programming_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        script(failing(ZeroDivisionError()))


@pytest.fixture(autouse=True)
def keep_signal_handlers():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_terminated_before_training_ends_with_143():
    code = (
        "import os, signal, time\nfrom nasmake.jobs.cli import script\n"
        "def main(argv):\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(30)\n"
        "script(main)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 143


def test_bad_arguments_end_before_torch_is_loaded(arguments):
    code = (
        "import sys\nfrom nasmake.core.files import InputError\nfrom nasmake.jobs.job import parse\n"
        "try:\n    parse('retrain', None, sys.argv[1:], inputs=())\n"
        "except InputError:\n    sys.exit('torch' in sys.modules)\n"
        "sys.exit(2)\n"
    )
    argv = ["--settings", "{", "--manifest", "x", "--unit", "y"]
    assert subprocess.run([sys.executable, "-c", code, *argv], timeout=60, env=dict(os.environ)).returncode == 0
