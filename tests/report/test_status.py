"""How far a run is, read from its files by `make status`."""

import fcntl

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.pipeline.stages import STAGES
from nasmake.report.status import status
from small_studies import in_an_empty_folder  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
EPOCHS = "device: CPU\nepoch    1  train_loss    2.1     1.5 s\nepoch    2  train_loss    1.9     2.5 s\n"


@pytest.fixture
def run(tmp_path):
    """A run of two trials: the supernet and the first trial are done, the second one was searched."""
    folder = tmp_path / "results/half"
    folder.mkdir(parents=True)
    study = {
        "run": "half",
        "dataset": {"name": "digits", "num_data_architecture_search": 600},
        "nas": {"num_epochs_retrain": 10},
        "optimize": {
            "trial_number": 2,
            "parameters": [
                {"name": "search.constraint.macs", "type": "uniform_int", "lower": 400000, "upper": 1600000},
            ],
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
    write_outputs(folder / "shared", "train_supernet")
    for trial in ("trial-0000", "trial-0001"):
        write_outputs(folder / trial, "search_architecture")
    write_outputs(folder / "trial-0000", "retrain")
    write_json(folder / "trial-0000/result.json", {"trial": 0, "value": 0.93})
    return folder.relative_to(tmp_path)


def write_outputs(folder, stage):
    for artefact in STAGES[stage].outputs.values():
        (folder / artefact).parent.mkdir(parents=True, exist_ok=True)
        (folder / artefact).touch()


def begin(run, stage="retrain"):
    """Leave what the second trial's retraining has after two epochs, and return its lock."""
    unit = run / "trial-0001"
    (unit / f".resume/{stage}-0123").mkdir(parents=True)
    (unit / "logs").mkdir()
    (unit / f"logs/{stage}.log").write_text(EPOCHS)
    return (unit / f".resume/{stage}-0123.lock").open("w")


def counts(lines):
    return {line.split()[0]: [*map(int, line.split()[1:])] for line in lines[2:5]}


def test_jobs_by_stage_and_the_best_trial(run):
    lines = status(run)
    assert lines[0] == "results/half: 2 trials; no study is running here"
    assert lines[1].split() == ["stage", "done", "running", "interrupted", "waiting"]
    assert counts(lines) == {
        "train_supernet": [1, 0, 0, 0],
        "search_architecture": [2, 0, 0, 0],
        "retrain": [1, 0, 0, 1],
    }
    assert lines[5:] == ["best so far: trial 0, val accuracy 0.9300"]


def test_stage_under_way_has_epochs_and_time_left_and_its_lock_tells_whether_it_was_interrupted(run):
    with begin(run) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = status(run)
        assert counts(lines)["retrain"] == [1, 1, 0, 0]
        assert lines[5] == "running: trial-0001 retrain: epoch 2 of 10, 2.0 s each, 16 s left"
        assert not any(line.startswith("failed") for line in lines)
    lines = status(run)
    assert counts(lines)["retrain"] == [1, 0, 1, 0]
    assert lines[5].startswith("interrupted: trial-0001 retrain: epoch 2 of 10")


def test_last_line_of_a_failed_log(run):
    begin(run).close()
    with (run / "trial-0001/logs/retrain.log").open("a") as log:
        log.write("error: no space left\n")
    assert "failed: results/half/trial-0001/logs/retrain.log: error: no space left" in status(run)


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"no config.yaml; expected the folder of a run that was started"):
        status(tmp_path)
