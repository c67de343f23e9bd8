"""Every strategy with every sampler that it allows, from data to tested network: one study over all of them."""

import csv
import json

import pytest
from nasmake.preflight import WITH_DISTRIBUTION
from nasmake.samplers import SAMPLERS
from nasmake.strategies import STRATEGIES
from studies import write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BRIEF = {
    "nas": {"num_epochs_supernet_train": 2, "num_epochs_architecture_search": 1, "num_epochs_retrain": 1},
    "supernet": {"batch_size": 300},
    "search": {"population_size": 3, "samples_per_update": 2, "batch_size": 300, "random_baseline": False},
    "retrain": {"warmup_epochs": 0},
    "final": {"baseline": False},
    "promote": {"top": 1},
}


def every_pair(samplers, algorithms):
    parameters = [
        {"name": "supernet.sampler", "type": "categorical", "choices": samplers},
        {"name": "search.algorithm", "type": "categorical", "choices": algorithms},
    ]
    trials = len(samplers) * len(algorithms)
    grid = {"search_algorithm": "GridOptimizer", "trial_number": trials, "lag": trials, "parameters": parameters}
    return {"optimize": grid}


@pytest.mark.parametrize(
    ("kind", "samplers", "algorithms"),
    [
        ("separate", [name for name in SAMPLERS if name != "asng"], [*STRATEGIES]),
        ("simultaneous", [*SAMPLERS], [*WITH_DISTRIBUTION]),
    ],
)
def test_every_strategy_with_every_sampler(checkout, kind, samplers, algorithms):
    study = write_config(checkout.folder, BRIEF, {"nas": {"type": kind}}, every_pair(samplers, algorithms))
    checkout.run("--configfile", study, "--cores", "2", timeout=1700)
    run = checkout.folder / "results/tiny"
    with (run / "study/trials.csv").open() as stream:
        trials = list(csv.DictReader(stream))
    assert {row["state"] for row in trials} == {"COMPLETE"}
    found = {(row["supernet.sampler"], row["search.algorithm"]) for row in trials}
    assert found == {(sampler, algorithm) for sampler in samplers for algorithm in algorithms}
    assert len(trials) == len(found)
    for row in trials:
        unit = run / f"trial-{int(row['trial']):04d}"
        supernet, architecture = (
            json.loads((unit / f"{name}.json").read_text()) for name in ("supernet", "architecture")
        )
        assert supernet["settings"]["sampler"] == row["supernet.sampler"]
        assert architecture["state"] == "COMPLETE" and len(architecture["decisions"]) == 6
