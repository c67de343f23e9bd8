"""Train a promoted architecture on train and val together, and test it once."""

import math
from typing import Any

from nasmake.core.files import read_json
from nasmake.core.records import PRUNED
from nasmake.engine.metrics import evaluate
from nasmake.engine.stage_run import StageRun, stage
from nasmake.jobs.job import Job
from nasmake.models.network import Network
from nasmake.stages.retrain import _train, _write

FINAL_COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")


def retrain_final(job: Job) -> None:
    """Run the last stage of a promoted trial: final.safetensors, final.json, history/retrain_final.csv.

    The only stage that opens the test part, and it does so once, after training.
    """
    settings = job.settings
    epochs = settings.final.num_epochs or settings.nas.num_epochs_retrain or 1
    with stage(job) as run:
        trained = _train(run, epochs, with_val=False)
        result = read_json(job.inputs["result"])
        known = {name: result[name] for name in ("val_accuracy", "val_loss")}
        record = trained.record | {"trial": job.trial} | known
        if trained.network is not None:
            record |= _test(run, trained.network)
        if not math.isfinite(record.get("test_loss") or 0.0):  # broken by the very last step
            record |= {"state": PRUNED, "reason": f"{job.stage}: test loss not finite", "test_loss": None}
        _write(run, trained, record, "final.safetensors", "final.json", FINAL_COLUMNS)


def _test(run: StageRun, network: Network) -> dict[str, Any]:
    settings = run.job.settings
    test_n = run.splits.tested.manifest["test"]["count"]
    if test_n == 0:
        return {"test_accuracy": None, "test_loss": None, "test_n": 0}
    loss, accuracy = evaluate(network, run.splits.evaluation("test", settings.retrain.hyperparameters.batch_size))
    scores = {"test_accuracy": accuracy, "test_loss": loss, "test_n": test_n}
    return scores | (_baseline(run) if settings.final.baseline else {})


def _baseline(run: StageRun) -> dict[str, Any]:
    from nasmake.stages.baseline import logistic_regression

    accuracy = logistic_regression(run.splits.arrays("train+val"), run.splits.arrays("test"))
    return {"baseline": {"name": "logistic regression", "test_accuracy": accuracy}}
