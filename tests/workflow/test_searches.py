"""Studies with one search strategy after the other, from data to the network that is found."""

import csv
import json

import pytest
from studies import write_config

ALONE = {"optimize": {"trial_number": 1, "parameters": []}, "promote": {"top": 1}, "final": {"baseline": False}}
UNTIL_FOUND = ("--cores", "2", "--until", "search_architecture")
SEARCHED = {"name": "alpha", "type": "uniform_float", "lower": 0.5, "upper": 3.0, "initial": 1.5}
COLUMNS = {
    "asng": ["entropy", "max_probability", "Delta", "snr"],
    "reinforce": ["entropy", "max_probability"],
    "nsga2": ["front_size"],
}


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", COLUMNS)
def test_study_ends_within_its_limit(checkout, algorithm):
    search = {"algorithm": algorithm, "samples_per_update": 2, "constraint": {"macs": 900000}}
    study = write_config(checkout.folder, ALONE, {"search": search})
    checkout.run("--configfile", study, *UNTIL_FOUND)
    unit = checkout.folder / "results/tiny/shared"
    found, evaluations = json.loads((unit / "architecture.json").read_text()), rows(unit / "history/evaluations.csv")
    assert found["macs"] <= 900000 and all(int(row["macs"]) <= 900000 for row in evaluations)
    assert found["scores"]["val_loss"] == min(float(row["val_loss"]) for row in evaluations)
    history = rows(unit / "history/search_architecture.csv")
    assert [*history[0]][-len(COLUMNS[algorithm]) :] == COLUMNS[algorithm] and len(history) == 2
    assert int(history[-1]["evaluated"]) == len(evaluations) <= 6
    assert any(int(row["on_front"]) for row in evaluations)


@pytest.mark.slow
def test_reward_decides_what_is_found_within_the_limit(checkout):
    search = {"algorithm": "nsga2", "objective": "mnasnet_reward", "front": ["macs", "parameters"]}
    search |= {"reward": {"w_below": 0, "w_above": -1, "target": 1}, "constraint": {"macs": 900000}}
    study = write_config(checkout.folder, ALONE, {"search": search})
    checkout.run("--configfile", study, *UNTIL_FOUND)
    unit = checkout.folder / "results/tiny/shared"
    found, evaluations = json.loads((unit / "architecture.json").read_text()), rows(unit / "history/evaluations.csv")
    for row in evaluations:
        assert float(row["objective"]) == pytest.approx(-float(row["val_accuracy"]) / int(row["macs"]))
    assert found["scores"]["objective"] == min(float(row["objective"]) for row in evaluations)
    assert float(rows(unit / "history/search_architecture.csv")[-1]["best_objective"]) == found["scores"]["objective"]
    assert found["macs"] <= 900000


@pytest.mark.slow
def test_study_by_gates_aims_at_a_measured_latency_within_its_limit(checkout):
    expected_cost = {"loss": "linear", "metric": "latency_ms", "target": 0.1}
    search = {"algorithm": "proxyless", "expected_cost": expected_cost, "constraint": {"macs": 900000}}
    study = write_config(checkout.folder, ALONE, {"search": search})
    checkout.run("--configfile", study, *UNTIL_FOUND)
    unit = checkout.folder / "results/tiny/shared"
    found, evaluations = json.loads((unit / "architecture.json").read_text()), rows(unit / "history/evaluations.csv")
    assert found["macs"] <= 900000 and found["latency_ms"] > 0 and 1 <= len(evaluations) <= 2
    assert " ".join(map(str, found["decisions"])) in {row["decisions"] for row in evaluations}
    history = rows(unit / "history/search_architecture.csv")
    assert [*history[0]][-3:] == ["entropy", "max_probability", "expected_cost"] and len(history) == 2


@pytest.mark.slow
def test_alpha_by_the_predecessors_name_is_searched_over_one_supernet(checkout):
    optimize = {"optimize": {"trial_number": 2, "parameters": [SEARCHED]}}
    study = write_config(checkout.folder, ALONE, optimize, {"search": {"algorithm": "asng", "samples_per_update": 2}})
    checkout.run("--configfile", study, *UNTIL_FOUND)
    run = checkout.folder / "results/tiny"
    assert (run / "shared/supernet.json").is_file()
    assert all((run / f"trial-000{trial}/architecture.json").is_file() for trial in (0, 1))
