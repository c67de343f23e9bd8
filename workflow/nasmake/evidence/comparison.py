"""The comparison of found networks with others: its rows, and its table. No torch here."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

from nasmake.config.baselines import FOUND, LINEAR, Baselines
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.records import COMPLETE
from nasmake.evidence.statistics import Estimate, difference, t_interval

Row = dict[str, Any]
COLUMNS = (
    *("network", "seed", "architecture", "parameters", "macs", "epochs", "test_accuracy", "test_loss"),
    *("search_cpu_seconds", "training_cpu_seconds"),
)
HEAD = (
    *("network", "test accuracy", "found minus it", "parameters", "MACs", "epochs"),
    *("CPU minutes of search", "of training"),
)
LEVEL = 0.95  # of the intervals


def read_rows(run: Path, baselines: Baselines, linear: Path | None = None) -> list[Row]:
    """Return one row per network and seed, and one for the linear model.

    Args:
        run: folder of the run.
        baselines: section `baselines`.
        linear: record of the linear model; None if it was not fitted.

    Raises:
        InputError: a training diverged.
    """
    networks = (FOUND, *baselines.networks)
    rows = [_row(run, network, seed) for network in networks for seed in baselines.seeds]
    return [*rows, *([_linear_row(linear)] if linear else [])]


def _row(run: Path, network: str, seed: int) -> Row:
    folder = run / f"{network}-{seed}"
    final = read_json(folder / "final.json")
    if final["state"] != COMPLETE:
        raise InputError(f"{folder / 'final.json'}: {final['reason']}; lower retrain.hyperparameters.base_lr")
    searches = ("supernet.json", "architecture.json") if network == FOUND else ()
    return {
        "network": network,
        "seed": seed,
        **{key: final[key] for key in ("architecture", "parameters", "macs", "epochs", "test_accuracy", "test_loss")},
        "search_cpu_seconds": sum(_cpu_seconds(read_json(folder / name)) for name in searches),
        "training_cpu_seconds": _cpu_seconds(final),
    }


def _linear_row(path: Path) -> Row:
    linear = read_json(path)
    facts = {key: linear[key] for key in ("parameters", "macs", "test_accuracy")}
    return {"network": LINEAR, **facts, "search_cpu_seconds": 0.0, "training_cpu_seconds": _cpu_seconds(linear)}


def _cpu_seconds(record: Row) -> float:
    return float(record["provenance"]["cpu_seconds"])


def markdown(rows: Sequence[Row]) -> str:
    """Return the table: means over the seeds, with intervals of LEVEL for the test accuracy and for differences.

    The intervals are Student's and Welch's. They cover the luck of searches and trainings, not that of the test images.
    """
    by_network = {network: list(own) for network, own in groupby(rows, key=itemgetter("network"))}
    found = [row["test_accuracy"] for row in by_network[FOUND]]
    lines = [HEAD, tuple("---" for _ in HEAD), *(_cells(name, own, found) for name, own in by_network.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(network: str, rows: Sequence[Row], found: Sequence[float]) -> tuple[str, ...]:
    """Return the cells of one network."""
    accuracies = [row["test_accuracy"] for row in rows]
    accuracy, gain = f"{accuracies[0]:.4f}", f"{fmean(found) - accuracies[0]:+.4f}"
    if len(rows) > 1:
        accuracy = _with_interval(t_interval(accuracies, LEVEL), "")
        gain = _with_interval(difference(found, accuracies, LEVEL), "+")
    minutes = (fmean(row[f"{part}_cpu_seconds"] for row in rows) / 60 for part in ("search", "training"))
    return (
        network,
        accuracy,
        "" if network == FOUND else gain,
        *(f"{fmean(row[cost] for row in rows):,.0f}" for cost in ("parameters", "macs")),
        f"{rows[0].get('epochs', '')}",
        *(f"{spent:.1f}" for spent in minutes),
    )


def _with_interval(estimate: Estimate, sign: str) -> str:
    value, low, high = (f"{number:{sign}.4f}" for number in estimate)
    return f"{value} ({low} to {high})"
