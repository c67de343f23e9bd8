"""Studies with what `optimize` can do beyond one objective and one space, to their ends."""

import csv
import json

import pytest
from conftest import make_checkout
from studies import artefacts, write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BRIEF = {
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 3},
    "supernet": {"batch_size": 300},
    "final": {"num_epochs": 1, "baseline": False},
}
LR = "retrain.hyperparameters.base_lr"


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def read(path):
    return json.loads(path.read_text())


def test_spaces_conditions_and_two_objectives_are_the_same_for_any_cores(tmp_path):
    parameters = [
        {"name": "nas.search_space", "type": "categorical", "choices": ["proxyless", "mnasnet"]},
        {"name": "optimizer", "type": "categorical", "choices": ["MomentumSGD", "Adam"]},
        {"name": "dampening", "type": "uniform_float", "lower": 0.0, "upper": 0.5, "step": 0.1},
        {"name": "beta1", "type": "uniform_float", "lower": 0.5, "upper": 0.9, "when": {"nas.search_space": "mnasnet"}},
        {"name": "alpha", "type": "uniform_float", "lower": 1.0, "upper": 2.0},
    ]
    initial = [["proxyless", "mnasnet", "proxyless"], ["MomentumSGD", "Adam", "Adam"]]
    parameters[:2] = [one | {"initial": values} for one, values in zip(parameters[:2], initial, strict=True)]
    optimize = {"objectives": ["val_accuracy", "parameters"], "trial_number": 3, "parameters": parameters}
    found = []
    for cores in (1, 2):
        checkout = make_checkout(tmp_path / f"cores{cores}")
        study = write_config(checkout.folder, BRIEF, {"search": {"algorithm": "evolution"}, "optimize": optimize})
        output = checkout.run("--configfile", study, "--cores", cores, timeout=900)
        found.append(artefacts(checkout.folder / "results/tiny"))
    assert found[0] == found[1]
    run = checkout.folder / "results/tiny"
    trials = rows_of(run / "study/trials.csv")
    assert [(row["nas.search_space"], row["dampening"] != "", row["beta1"] != "") for row in trials] == [
        ("proxyless", True, False),
        ("mnasnet", False, True),
        ("proxyless", False, False),
    ]
    assert all(row["alpha"] == "" for row in trials)
    for row in trials:
        assert read(run / f"trial-000{row['trial']}/architecture.json")["space"] == f"{row['nas.search_space']}_digits"
    front = rows_of(run / "study/front.csv")
    sizes = [int(row["parameters"]) for row in front]
    assert front and sizes == sorted(sizes, reverse=True)
    promoted = read(run / "study/promoted.json")["trials"]
    assert promoted == [int(row["trial"]) for row in front[:2]]
    assert "warning: optimize.parameters: alpha: never sampled, because search.algorithm is evolution" in output
    assert f"front of val_accuracy and parameters: {len(front)} trials" in output


def test_pruner_stops_a_hopeless_trial_and_the_study_goes_on(checkout):
    parameters = [{"name": LR, "type": "categorical", "choices": [0.05, 0.06, 1e-6], "initial": [0.05, 0.06, 1e-6]}]
    pruner = {"pruner": "median", "n_warmup_epochs": 1, "n_startup_trials": 2}
    optimize = pruner | {"trial_number": 3, "lag": 1, "parameters": parameters}
    overlay = {"nas": {"num_epochs_retrain": 15}, "optimize": optimize, "promote": {"top": 1}}
    checkout.run("--configfile", write_config(checkout.folder, BRIEF, overlay), "--cores", "2")
    run = checkout.folder / "results/tiny"
    result = read(run / "trial-0002/result.json")
    assert result["state"] == "PRUNED" and result["reason"].startswith("retrain: pruned in epoch ")
    assert [row["state"] for row in rows_of(run / "study/trials.csv")] == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert len(rows_of(run / "trial-0002/history/retrain.csv")) == len(result["val_accuracies"]) < 15
