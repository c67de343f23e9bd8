"""The walltime of the first attempt follows from measured epochs, and each retry requests more."""

import pytest
from nasmake.config import load
from nasmake.engine.epoch_log import format_row
from nasmake.pipeline import walltime as module
from nasmake.pipeline.walltime import EPOCHS, first_minutes, seconds_per_epoch, walltime


@pytest.fixture
def study(tmp_path):
    def made(final=None, **environment):
        stages = ("supernet_train", "architecture_search", "retrain")
        raw = {"run": "made", "nas": {f"num_epochs_{stage}": 60 for stage in stages}, "optimize": {"trial_number": 1}}
        return load(raw | {"final": {"num_epochs": final}, "environment": {"result_dir": str(tmp_path), **environment}})

    return made


def write_log(config, unit, stage, *epochs):
    """Write lines for epochs, each given as number and seconds, as a stage does."""
    path = config.run_folder / unit / "logs" / f"{stage}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [format_row({"epoch": number, "train_loss": 1.5}, seconds, 40) for number, seconds in epochs]
    path.write_text("\n".join(["device: cpu", *lines, "=>> PBS: job killed: walltime 7200 exceeded limit 7200", ""]))


@pytest.mark.parametrize("stage", EPOCHS)
def test_without_measured_epochs(study, stage):
    config = study()
    assert [walltime(stage, config)(None, attempt) for attempt in (1, 2, 3)] == [120, 240, 360]
    write_log(config, "shared", stage)
    assert first_minutes(stage, config) == 120


def test_other_stages_request_an_hour(study):
    assert [walltime("measure_latency", study())(None, attempt) for attempt in (1, 2)] == [60, 120]


def test_measured_epochs_of_the_slowest_unit(study):
    """60 epochs of 40 s are 40 minutes. Half as much again and ten minutes for the start make 70."""
    config = study()
    write_log(config, "trial-0000", "retrain", (1, 10.0), (2, 10.0))
    write_log(config, "trial-0001", "retrain", (1, 50.0), (2, 30.0))
    write_log(config, "shared", "train_supernet", (1, 999.9))
    assert seconds_per_epoch(config.run_folder, "retrain") == 40
    assert [walltime("retrain", config)(None, attempt) for attempt in (1, 2)] == [70, 140]


@pytest.mark.parametrize(("final", "minutes"), [(None, 70), (300, 310)])
def test_final_training_may_have_epochs_of_its_own(study, final, minutes):
    config = study(final)
    write_log(config, "trial-0000", "retrain_final", (1, 40.0))
    assert first_minutes("retrain_final", config) == minutes


def test_epochs_of_a_stage_that_counts_twice(study):
    """A search draws as many random candidates after its last epoch."""
    config = study()
    write_log(config, "trial-0000", "search_architecture", (1, 20.0), (2, 20.0), (1, 10.0), (2, 10.0))
    assert seconds_per_epoch(config.run_folder, "search_architecture") == 30


def test_no_request_is_longer_than_a_week(study):
    config = study()
    write_log(config, "trial-0000", "retrain", (1, 9999.9))
    assert walltime("retrain", config)(None, 3) == 168 * 60


def test_configured_walltime_has_priority(study):
    config = study(first_walltime=30)
    write_log(config, "trial-0000", "retrain", (1, 999.9))
    assert [walltime("retrain", config)(None, attempt) for attempt in (1, 2)] == [30, 60]
    assert walltime("measure_latency", config)(None, 1) == 60


def test_measured_times_are_read_again_after_a_while(study, monkeypatch):
    config = study()
    minutes = walltime("retrain", config)
    assert minutes(None, 1) == 120
    write_log(config, "trial-0000", "retrain", (1, 40.0))
    assert minutes(None, 1) == 120
    monkeypatch.setattr(module, "MEMORY", -1.0)
    assert minutes(None, 1) == 70
