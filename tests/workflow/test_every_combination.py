"""Every strategy with every sampler that it allows, from data to tested network: one study over all of them.

Only the best network is retrained; the others have the accuracy of the weights that they inherit.
"""

import csv
import json

import pytest
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.pipeline.checks import WITH_DISTRIBUTION
from nasmake.strategies import STRATEGIES
from studies import write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BRIEF = {
    "nas": {
        "num_epochs_supernet_train": 2,
        "num_epochs_architecture_search": 1,
        "num_epochs_retrain": 1,
        "skip_retrain": True,
    },
    "supernet": {"batch_size": 300},
    "search": {"population_size": 3, "samples_per_update": 2, "batch_size": 300, "random_baseline": False},
    "retrain": {"warmup_epochs": 0},
    "final": {"baseline": False},
    "promote": {"top": 1},
}


CASES = [
    ("separate", [sampler], [*STRATEGIES]) for sampler in PATH_SAMPLERS if sampler != "asng"
]  # over one supernet each
CASES.append(("simultaneous", [*PATH_SAMPLERS], [*WITH_DISTRIBUTION]))


def every_pair(samplers, algorithms):
    parameters = [{"name": "search.algorithm", "type": "categorical", "choices": algorithms}]
    if len(samplers) > 1:
        parameters.append({"name": "supernet.sampler", "type": "categorical", "choices": samplers})
    trials = len(samplers) * len(algorithms)
    grid = {"search_algorithm": "GridOptimizer", "trial_number": trials, "lag": trials, "parameters": parameters}
    return {"optimize": grid, "supernet": {"sampler": samplers[0]}}


@pytest.mark.parametrize(("kind", "samplers", "algorithms"), CASES, ids=["uniform", "fair", "sandwich", "simultaneous"])
def test_every_strategy_with_every_sampler(checkout, kind, samplers, algorithms):
    study = write_config(checkout.folder, BRIEF, {"nas": {"type": kind}}, every_pair(samplers, algorithms))
    checkout.run("--configfile", study, "--cores", "2", timeout=1700)
    run = checkout.folder / "results/tiny"
    with (run / "study/trials.csv").open() as stream:
        trials = list(csv.DictReader(stream))
    assert {row["state"] for row in trials} == {"COMPLETE"}
    found = {(row.get("supernet.sampler", samplers[0]), row["search.algorithm"]) for row in trials}
    assert found == {(sampler, algorithm) for sampler in samplers for algorithm in algorithms}
    assert len(trials) == len(found)
    records = [json.loads(path.read_text()) for path in sorted(run.glob("*/supernet.json"))]
    assert {record["settings"]["sampler"] for record in records} == set(samplers)
    for architecture in run.glob("trial-*/architecture.json"):
        assert len(json.loads(architecture.read_text())["decisions"]) == 6
