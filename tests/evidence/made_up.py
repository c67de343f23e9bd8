"""A finished run of the evidence with made-up measurements, in which the search works."""

import numpy as np
from nasmake.config.evidence import Evidence
from nasmake.core.files import write_csv, write_json
from nasmake.evidence.measurements import SCORE_COLUMNS, TRAINED_COLUMNS
from nasmake.evidence.plan import EASY_SEEDS

EVIDENCE = Evidence(seeds=[1, 2, 3], networks=24, retrain_seeds=[101, 102, 103], random_networks=4)
STRATEGIES = ("random", "evolution")


def make_run(run, noise=0.05, seed=0):
    """Inherited scores are the true loss plus noise. The best networks of a search are better than its random ones."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(1.0, 0.4, EVIDENCE.networks)
    networks = [{"decisions": [i], "roles": ["ranking"], "parameters": 100 + i, "macs": 7} for i in range(len(truth))]
    write_json(run / "ranking" / "networks.json", {"networks": networks})
    for kind, seeds in (("supernet", 3), ("quarter", 3), ("easy", EASY_SEEDS)):
        for unit in range(1, seeds + 1):
            rows = [scores(index, loss + rng.normal(0, noise), rng) for index, loss in enumerate(truth)]
            write_csv(run / f"{kind}-{unit}" / "scores.csv", rows, SCORE_COLUMNS)
    write_trained(run / "ranking", truth, noise, rng)
    for seed in EVIDENCE.seeds:
        roles = [
            ["evolution"],
            ["random", "random-random", "random-evolution", "drawn"],
            ["drawn"],
            ["drawn"],
            ["drawn"],
            ["worst"],
        ]
        networks = [{"decisions": [index], "roles": played} for index, played in enumerate(roles)]
        write_json(run / f"selection-{seed}" / "networks.json", {"networks": networks})
        write_trained(run / f"selection-{seed}", np.array([0.3, 0.5, 0.6, 0.6, 0.7, 0.9]), 0.01, rng)
    return run


def scores(index, loss, rng):
    row = {"decisions": index, "loss": loss, "accuracy": 0.9, "raw_loss": rng.normal(), "raw_accuracy": 0.2}
    return row | {"shuffled_loss": 2.3, "shuffled_accuracy": 0.1 + rng.normal(0, 0.01)}


def write_trained(unit, truth, noise, rng):
    for seed in EVIDENCE.retrain_seeds:
        losses = truth + rng.normal(0, noise, len(truth))
        rows = [
            {"decisions": index, "val_loss": loss, "val_accuracy": 0.9, "test_loss": loss, "test_accuracy": 0.9}
            for index, loss in enumerate(losses)
        ]
        write_csv(unit / f"seed-{seed}" / "trained.csv", rows, TRAINED_COLUMNS)
