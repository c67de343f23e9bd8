"""Train a promoted architecture on train and val together, and test it once.

`train_from_scratch` is in `retrain`. This module may import core, jobs, the engine and other stages.
"""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from nasmake.core.files import read_json, write_csv
from nasmake.core.records import PRUNED
from nasmake.engine.metrics import Predictions, evaluate_each
from nasmake.engine.stage_run import StageRun, stage
from nasmake.jobs.job import Job
from nasmake.models.network import Network
from nasmake.pipeline.stages import STAGES
from nasmake.stages.retrain import train_from_scratch, write_training

COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")
PREDICTIONS = ("image", "label", "predicted", "confidence")
DIGITS = 6  # of a confidence


def retrain_final(job: Job) -> None:
    """Run the last stage of a promoted trial: write its weights, its record, its history and its test predictions.

    No other stage opens the test split. This stage opens the split once, after training. It runs once for each of
    final.seeds seeds.
    """
    settings = job.settings
    epochs = settings.final.num_epochs or settings.nas.num_epochs_retrain or 1
    with stage(job) as run:
        training = train_from_scratch(run, epochs, with_val=False)
        record = training.record | {"trial": job.trial} | _val_scores(job)
        rows: list[dict[str, Any]] = []
        if training.network is not None:
            scores, rows = _test_scores(run, training.network)
            record |= scores
        if not math.isfinite(record.get("test_loss") or 0.0):  # the very last step broke the network
            rows = []
            record |= {"state": PRUNED, "reason": f"{job.stage}: test loss not finite", "test_loss": None}
        write_csv(job.unit / STAGES[job.stage].outputs["predictions"], rows, PREDICTIONS)
        write_training(run, training, record, "final.safetensors", "final.json", COLUMNS)


def _val_scores(job: Job) -> dict[str, Any]:
    """Return the val scores of the trial; nothing outside of a study."""
    result = read_json(job.inputs["result"]) if "result" in job.inputs else {}
    return {key: result[key] for key in ("val_accuracy", "val_loss") if key in result}


def _test_scores(run: StageRun, network: Network) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the test scores of the network, and with final.baseline those of a linear model; and its predictions.

    There is one prediction for each image, in the order of the test split.
    """
    settings, splits = run.job.settings, run.splits
    count = splits.tested.manifest["test"]["count"]
    if count == 0:
        return {"test_accuracy": None, "test_loss": None, "test_n": 0}, []
    source = splits.evaluation("test", settings.retrain.hyperparameters.batch_size)
    loss, accuracy, predictions = evaluate_each(network, source)
    record = {"test_accuracy": accuracy, "test_loss": loss, "test_n": count}
    if settings.final.baseline and not run.job.repeat:  # the seed has no effect on the baseline
        from nasmake.stages.baseline import logistic_regression

        baseline = logistic_regression(splits.arrays("train+val"), splits.arrays("test"))
        record["baseline"] = {"name": "logistic regression", "test_accuracy": baseline}
    return record, list(_rows(source.labels, predictions))


def _rows(labels: Tensor, predictions: Predictions) -> Iterator[dict[str, Any]]:
    """Yield one row of test_predictions.csv per image; classes are numbers."""
    columns = labels.tolist(), predictions.classes.int().tolist(), predictions.confidences.tolist()
    for image, (label, predicted, confidence) in enumerate(zip(*columns, strict=True)):
        yield {"image": image, "label": label, "predicted": predicted, "confidence": round(confidence, DIGITS)}
