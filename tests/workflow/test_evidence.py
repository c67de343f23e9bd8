"""`snakemake evidence`: what is planned, and from data to table with a tiny preset."""

import json

import pytest
import yaml
from nasmake.evidence.plan import EASY_SEEDS, KINDS
from nasmake.strategies import STRATEGIES
from test_dag import job_counts

PRESET = "config/presets/evidence.yaml"
TINY = {
    "nas": {"num_epochs_supernet_train": 4, "num_epochs_architecture_search": 2, "num_epochs_retrain": 2},
    "search": {"population_size": 4, "samples_per_update": 2, "recalibration_images": 200},
    "evidence": {"seeds": [1, 2], "networks": 6, "retrain_seeds": [101, 102], "min_macs": 0, "random_networks": 2},
}


def tiny(checkout):
    (checkout.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return ("--configfile", PRESET, "tiny.yaml")


def test_every_strategy_is_searched_for_every_seed(checkout):
    counts = job_counts(checkout.run("-n", "--configfile", PRESET, "--", "evidence"))
    settings = yaml.safe_load((checkout.folder / PRESET).read_text())["evidence"]
    seeds, retrain_seeds = len(settings["seeds"]), len(settings["retrain_seeds"])
    supernets = (len(KINDS) - 1) * seeds + EASY_SEEDS
    assert seeds >= 3 and retrain_seeds >= 3
    assert counts == {
        "download_dataset": 1,
        "download_easy_dataset": 1,
        "train_supernet_of_evidence": supernets,
        "search_architecture_of_evidence": len(STRATEGIES) * seeds,
        "choose_networks": 1 + seeds,
        "score_networks": supernets,
        "train_networks": (1 + seeds) * retrain_seeds,
        "evidence": 1,
    }


def test_stages_are_told_what_a_study_would_tell_them(checkout):
    plan = checkout.run("-n", "-p", *tiny(checkout), "--", "evidence")
    assert plan.count('"nas":{"num_epochs_supernet_train":4,"seed":1}') == 2  # on both data sets
    assert plan.count('"nas":{"num_epochs_supernet_train":1,"seed":2}') == 1  # a quarter
    for strategy in STRATEGIES:
        assert plan.count(f'"algorithm":"{strategy}"') >= 2
    assert all("test_images" not in job for job in plan.split("\nrule ") if not job.startswith(("train_net", "down")))


def test_no_other_target_needs_it(checkout):
    for preset in (PRESET, "config/presets/digits.yaml"):
        assert not {"evidence", "score_networks"} & job_counts(checkout.run("-n", "--configfile", preset)).keys()
    same = ("--config", "dataset={name: digits}")  # the easy data set is the data set
    counts = job_counts(checkout.run("-n", "--configfile", PRESET, *same, "--", "evidence"))
    assert counts["download_dataset"] == 1 and "download_easy_dataset" not in counts


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_data_to_table(checkout):
    output = checkout.run(*tiny(checkout), "--cores", "2", "--", "evidence", timeout=1800)
    run = checkout.folder / "results/evidence"
    assert (run / "evidence.md").read_text() in output
    found = {figure["key"]: figure for figure in json.loads((run / "evidence.json").read_text())["figures"]}
    assert found["tau"]["n"] == 6 and found["pooled_worst"]["n"] == 2
    assert {f"{strategy}_random" for strategy in STRATEGIES} < found.keys()
    for seed in (1, 2):
        networks = json.loads((run / f"selection-{seed}/networks.json").read_text())["networks"]
        roles = [role for network in networks for role in network["roles"]]
        baselines = [f"random-{strategy}" for strategy in STRATEGIES]
        assert sorted(roles) == sorted([*STRATEGIES, *baselines, "drawn", "drawn", "worst"])
        assert all(network["macs"] <= 500000 for network in networks)
    assert "Nothing to be done" in checkout.run(*tiny(checkout), "--cores", "2", "--", "evidence")
