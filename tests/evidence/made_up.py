"""A finished run of the evidence with made-up measurements, in which the supernets rank well and evolution wins."""

import numpy as np
from nasmake.config.evidence import SUPERNET, Evidence
from nasmake.core.files import write_csv, write_json
from nasmake.evidence import lookup
from nasmake.evidence.measurements import COLUMNS as SCORE_COLUMNS
from nasmake.evidence.plan import LOOKED_UP, TRAINED_SEARCHES

NETWORKS, SEEDS = 24, (101, 102, 103)
TABLE_COLUMNS = ("decisions", "parameters", "macs", "seed", "val_loss", "test_loss")


def evidence(table):
    """Return the section `evidence` of the run."""
    return Evidence(
        table=str(table),
        seeds=[1, 2, 3],
        variants={"quarter": {"nas.num_epochs_supernet_train": 1}},
        variant_seeds=2,
        search_seeds=4,
        budgets=[2, 4],
    )


def write_table(path, noise=0.02, seed=0):
    """Write a table in which the loss falls with the number of parameters, and all networks have equal MACs."""
    rng, rows = np.random.default_rng(seed), []
    for index, loss in enumerate(np.linspace(1.0, 0.4, NETWORKS)):
        for training in SEEDS:
            val, test = loss + rng.normal(0, noise, 2)
            costs = {"decisions": index, "parameters": 100 + index, "macs": 7}
            rows.append(costs | {"seed": training, "val_loss": val, "test_loss": test})
    write_csv(path, rows, TABLE_COLUMNS)
    return path


def make_run(run, noise=0.05):
    """Write what the jobs of the evidence measure. Random search finds network 12, and evolution network 20."""
    settings, rng = evidence(write_table(run / "table.csv")), np.random.default_rng(1)
    for kind in settings.supernets():
        for seed in settings.seeds_of(kind):
            losses = np.linspace(1.0, 0.4, NETWORKS) + 0.1 + rng.normal(0, noise, NETWORKS)
            rows = [
                {"decisions": index, "loss": loss, "accuracy": 0.9, "raw_loss": rng.normal(), "raw_accuracy": 0.2}
                for index, loss in enumerate(losses)
            ]
            write_csv(run / f"{kind}-{seed}" / "scores.csv", rows, SCORE_COLUMNS)
    for name in LOOKED_UP:
        decisions = 20 if name == "evolution" else 12
        rows = [
            {"networks": networks, "search": search, "budget": budget, "evaluated": budget, "decisions": decisions}
            for networks in (lookup.ALL, lookup.BAND)
            for search in range(settings.search_seeds)
            for budget in settings.budgets
        ]
        for seed in settings.seeds:
            write_csv(run / f"lookup-{name}-{seed}" / "found.csv", rows, lookup.COLUMNS)
    for name in TRAINED_SEARCHES:
        for seed in settings.seeds:
            write_json(run / f"{name}-{seed}" / "architecture.json", {"decisions": [NETWORKS - 1]})
    assert SUPERNET in settings.supernets()
    return settings
