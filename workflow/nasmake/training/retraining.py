"""Training a found architecture from scratch: in a trial on train, and for promoted trials on train and val."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nasmake.artifacts import read_json, write_csv, write_json
from nasmake.cost import count_macs, count_parameters
from nasmake.job import COMPLETE, PRUNED, Job
from nasmake.layers import channels_last
from nasmake.networks import Network
from nasmake.search_spaces import Architecture
from nasmake.training.classification import Retraining, evaluate
from nasmake.training.run import Rows, StageRun, stage, write_weights
from nasmake.training.seeding import seed_torch
from nasmake.training.state import StoppedError

COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")
FINAL_COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")


@dataclass(frozen=True)
class Trained:
    """A network trained from scratch, in eval mode on the training device; None if its training stopped early."""

    network: Network | None
    rows: Rows
    record: dict[str, Any]


def retrain(job: Job) -> None:
    """Run the stage of a trial: model.safetensors, result.json, history/retrain.csv."""
    epochs = job.settings.nas.num_epochs_retrain or 1
    with stage(job) as run:
        trained = _train(run, epochs, with_val=True)
        record = trained.record | {"trial": job.trial, "value": None}
        if trained.network is not None:
            last = trained.rows[-1]
            scores = {name: last[name] for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")}
            record |= scores | {"value": last["val_accuracy"]}
        if job.prune_below is not None:
            record |= {"val_accuracies": [row["val_accuracy"] for row in trained.rows]}
        _write(run, trained, record, "model.safetensors", "result.json", COLUMNS)


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


def _train(run: StageRun, epochs: int, *, with_val: bool) -> Trained:
    job, parts = run.job, run.parts
    found = read_json(job.inputs["architecture"])
    if found["state"] != COMPLETE:
        return Trained(None, [], {"state": found["state"], "reason": found["reason"], "epochs": epochs})
    spec = Architecture.from_json(found, str(job.inputs["architecture"]), len(parts.manifest["classes"])).spec
    where = (job.settings.nas.seed, job.stage)
    seed_torch(torch.device("cpu"), *where, "weights")
    network = channels_last(Network(spec, parts.in_channels))
    settings = job.settings.retrain
    batch_size, cutout = settings.hyperparameters.batch_size, settings.cutout_length
    source = parts.training("train" if with_val else "train+val", batch_size, job.stage, cutout)
    val_source = parts.evaluation("val", batch_size) if with_val else None
    record = {
        "state": COMPLETE,
        "architecture": spec.string(),
        "parameters": count_parameters(spec, parts.in_channels),
        "macs": count_macs(spec, parts.in_channels, parts.input_size),
        "epochs": epochs,
    } | {key: found[key] for key in ("latency_ms",) if key in found}
    limits = job.prune_below or () if with_val else ()
    module = Retraining(network, source, val_source, settings, epochs, where, limits)
    try:
        rows = run.fit(module, source, epochs, val_source=val_source, gradient_clip=settings.gradient_clip)
    except StoppedError as stopped:
        return Trained(None, stopped.rows, record | {"state": PRUNED, "reason": f"{job.stage}: {stopped}"})
    network.load_state_dict(run.weights(module.weights_prefix))
    return Trained(network.to(run.runtime.device).eval(), rows, record)


def _test(run: StageRun, network: Network) -> dict[str, Any]:
    settings = run.job.settings
    test_n = run.parts.tested.manifest["test"]["count"]
    if test_n == 0:
        return {"test_accuracy": None, "test_loss": None, "test_n": 0}
    loss, accuracy = evaluate(network, run.parts.evaluation("test", settings.retrain.hyperparameters.batch_size))
    scores = {"test_accuracy": accuracy, "test_loss": loss, "test_n": test_n}
    return scores | (_baseline(run) if settings.final.baseline else {})


def _baseline(run: StageRun) -> dict[str, Any]:
    from nasmake.data.baseline import logistic_regression

    accuracy = logistic_regression(run.parts.arrays("train+val"), run.parts.arrays("test"))
    return {"baseline": {"name": "logistic regression", "test_accuracy": accuracy}}


def _write(
    run: StageRun, trained: Trained, record: dict[str, Any], model: str, facts: str, columns: tuple[str, ...]
) -> None:
    job, unit = run.job, run.job.unit
    write_csv(job.history(job.stage), trained.rows, columns)
    write_weights(unit / model, {} if trained.network is None else dict(trained.network.state_dict()))
    write_json(unit / Path(facts), record | {"provenance": job.provenance(run.runtime.name)})
