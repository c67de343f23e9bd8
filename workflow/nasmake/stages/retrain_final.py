"""Train a promoted architecture on train and val together, and test it once.

`train_from_scratch` is in `retrain`. This module may import core, jobs, the engine and other stages.
"""

import math
from typing import Any

from nasmake.core.files import read_json
from nasmake.core.records import PRUNED
from nasmake.engine.metrics import evaluate
from nasmake.engine.stage_run import StageRun, stage
from nasmake.jobs.job import Job
from nasmake.models.network import Network
from nasmake.stages.retrain import train_from_scratch, write_training

COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")


def retrain_final(job: Job) -> None:
    """Run the last stage of a promoted trial: write final.safetensors, final.json and history/retrain_final.csv.

    No other stage opens the test split. This stage opens the split once, after training. It runs once for each of
    final.seeds seeds.
    """
    settings = job.settings
    epochs = settings.final.num_epochs or settings.nas.num_epochs_retrain or 1
    with stage(job) as run:
        training = train_from_scratch(run, epochs, with_val=False)
        result = read_json(job.inputs["result"])
        record = training.record | {"trial": job.trial} | {key: result[key] for key in ("val_accuracy", "val_loss")}
        if training.network is not None:
            record |= _test_scores(run, training.network)
        if not math.isfinite(record.get("test_loss") or 0.0):  # the very last step broke the network
            record |= {"state": PRUNED, "reason": f"{job.stage}: test loss not finite", "test_loss": None}
        write_training(run, training, record, "final.safetensors", "final.json", COLUMNS)


def _test_scores(run: StageRun, network: Network) -> dict[str, Any]:
    """Return the test scores of the network, and with final.baseline those of a linear model."""
    settings, splits = run.job.settings, run.splits
    count = splits.tested.manifest["test"]["count"]
    if count == 0:
        return {"test_accuracy": None, "test_loss": None, "test_n": 0}
    loss, accuracy = evaluate(network, splits.evaluation("test", settings.retrain.hyperparameters.batch_size))
    record = {"test_accuracy": accuracy, "test_loss": loss, "test_n": count}
    if settings.final.baseline and not run.job.repeat:  # the seed has no effect on the baseline
        from nasmake.stages.baseline import logistic_regression

        baseline = logistic_regression(splits.arrays("train+val"), splits.arrays("test"))
        record["baseline"] = {"name": "logistic regression", "test_accuracy": baseline}
    return record
