"""Jobs that measure: the networks of a benchmark table with inherited weights, and a linear model. Imports torch."""

from math import inf, isfinite
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import write_csv, write_json
from nasmake.core.records import COMPLETE, json_of, read_supernet
from nasmake.engine.stage_run import stage
from nasmake.evidence.table_file import read_table
from nasmake.jobs.job import Job
from nasmake.stages.baseline import logistic_regression
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.search_architecture import trained_supernet

SCORES = "scores.csv"
COLUMNS = ("decisions", "loss", "accuracy", "raw_loss", "raw_accuracy")


def score_networks(job: Job) -> None:
    """Score all networks of a table as a search does, and without BatchNorm recalibration (raw): write scores.csv.

    Raises:
        InputError: the training of the supernet diverged, or a network of the table is not in the search space.
    """
    path = job.inputs["record"]
    record = read_supernet(path)
    if record.state != COMPLETE:
        raise InputError(f"{path}: state is {record.state} ({record.reason}); expected {COMPLETE}; lower supernet.lr")
    with stage(job, SCORES) as run:
        space = run.space()
        inherited = InheritedEvaluator(run, trained_supernet(run, space, json_of(record)))
        rows = []
        for decisions in read_table(job.inputs["table"]).networks:
            space.check(decisions)
            row: dict[str, Any] = {"decisions": " ".join(map(str, decisions))}
            rows.append(row | _scores("", *inherited(decisions)) | _scores("raw_", *inherited.uncalibrated(decisions)))
        write_csv(job.unit / SCORES, rows, COLUMNS)


def _scores(prefix: str, loss: float, accuracy: float) -> dict[str, float]:
    return {f"{prefix}loss": loss if isfinite(loss) else inf, f"{prefix}accuracy": accuracy}


def fit_linear_model(job: Job) -> None:
    """Fit logistic regression to the pixels of train and val, and test it once: write logistic_regression.json."""
    name = f"{job.stage}.json"
    with stage(job, name) as run:
        splits = run.splits
        accuracy = logistic_regression(splits.arrays("train+val"), splits.arrays("test"))
        pixels, classes = splits.input_size**2 * splits.in_channels, len(splits.manifest["classes"])
        costs = {"parameters": (pixels + 1) * classes, "macs": pixels * classes}
        content = {"test_accuracy": accuracy, **costs, "provenance": job.provenance(run.runtime.name)}
        write_json(job.unit / name, content)
