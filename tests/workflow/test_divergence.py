"""Training that diverges is a result of its trial; a study without any other result ends in one line."""

import csv
import json

import pytest
from studies import write_config

SEARCHED = {"name": "retrain.hyperparameters.base_lr", "type": "categorical"}
STUDY = {
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 2},
    "retrain": {"gradient_clip": None},
    "promote": {"top": 2},
}


def searching(*rates, initial):
    return {"optimize": {"trial_number": 2, "parameters": [SEARCHED | {"choices": list(rates), "initial": initial}]}}


def states(checkout):
    results = sorted((checkout.folder / "results/tiny").glob("trial-*/result.json"))
    return [json.loads(path.read_text())["state"] for path in results]


@pytest.mark.slow
def test_no_completed_trial_is_one_line_and_exit_1(checkout):
    study = write_config(checkout.folder, STUDY, searching(1e9, initial=1e9))
    code, output = checkout.run("--configfile", study, "--cores", "2", check=False)
    assert code == 1
    assert states(checkout) == ["PRUNED", "PRUNED"]
    (line,) = (line for line in output.splitlines() if ".log: error: " in line)
    assert "no trial of 2 completed, so there is nothing to promote; retrain: not finite in epoch" in line


@pytest.mark.slow
def test_diverged_trials_are_left_out_of_the_promotion(checkout):
    study = write_config(checkout.folder, STUDY, searching(0.05, 1e9, initial=1e9), {"optimize": {"rand_seed": 1}})
    output = checkout.run("--configfile", study, "--cores", "2")
    assert states(checkout) == ["PRUNED", "COMPLETE"]
    promoted = json.loads((checkout.folder / "results/tiny/study/promoted.json").read_text())
    assert promoted["trials"] == [1]  # fewer than promote.top completed
    with (checkout.folder / "results/tiny/study/trials.csv").open() as stream:
        assert [row["state"] for row in csv.DictReader(stream)] == ["PRUNED", "COMPLETE"]
    assert "parameters" in output
