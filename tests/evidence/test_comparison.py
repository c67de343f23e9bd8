"""The table that compares found networks with others, from made-up records."""

import re

import pytest
from nasmake.config.baselines import Baselines
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.evidence.comparison import markdown, read_rows

BASELINES = Baselines.model_validate({"seeds": [1, 2, 3], "networks": {"cnn": {}}})
FINAL = {"state": "COMPLETE", "architecture": "a network", "parameters": 1000, "macs": 20000, "epochs": 8}


def write_run(folder, **changes):
    """Write records whose found networks have the test accuracies .90, .91, .92, and the others .90 each."""
    for seed in (1, 2, 3):
        for network, accuracy in (("found", 0.89 + seed / 100), ("cnn", 0.9)):
            unit = folder / f"{network}-{seed}"
            unit.mkdir(parents=True)
            scores = {"test_accuracy": accuracy, "test_loss": 0.3, "provenance": {"cpu_seconds": 120.0}}
            write_json(unit / "final.json", FINAL | scores | changes)
        for name, seconds in (("supernet", 300.0), ("architecture", 60.0)):
            write_json(folder / f"found-{seed}/{name}.json", {"provenance": {"cpu_seconds": seconds}})
    return folder


def test_table_has_means_intervals_and_costs(tmp_path):
    lines = markdown(read_rows(write_run(tmp_path), BASELINES)).splitlines()
    cells = {line[0]: line[1:] for line in (re.split(r" *\| *", line)[1:-1] for line in lines)}
    # t(2 degrees of freedom, 97.5 %) = 4.3027; the standard error of .90, .91, .92 is .01 / sqrt(3)
    assert cells["found"] == ["0.9100 (0.8852 to 0.9348)", "", "1,000", "20,000", "8", "6.0", "2.0"]
    # one sample is constant, so Welch's interval has the 2 degrees of freedom of the other one
    assert cells["cnn"][:2] == ["0.9000 (0.9000 to 0.9000)", "+0.0100 (-0.0148 to +0.0348)"]
    assert cells["cnn"][-2:] == ["0.0", "2.0"]


def test_linear_model_has_no_seeds(tmp_path):
    run = write_run(tmp_path)
    (run / "logistic_regression").mkdir()
    linear = {"test_accuracy": 0.84, "parameters": 7850, "macs": 7840, "provenance": {"cpu_seconds": 60.0}}
    path = run / "logistic_regression/logistic_regression.json"
    write_json(path, linear)
    last = markdown(read_rows(run, BASELINES, path)).splitlines()[-1]
    assert last == "| logistic_regression | 0.8400 | +0.0700 | 7,850 | 7,840 |  | 0.0 | 1.0 |"


def test_a_training_that_diverged_is_refused_in_one_line(tmp_path):
    run = write_run(tmp_path, state="PRUNED", reason="retrain_final: train loss not finite in epoch 1")
    with pytest.raises(InputError, match=r"found-1/final\.json: retrain_final: train loss .*; lower retrain\.hyper"):
        read_rows(run, BASELINES)
