"""Train an architecture from scratch on train, in every trial.

This module holds the rule `retrain`, and the training that it shares with `retrain_final`. It may import core, config,
search_spaces, data, costs, models, jobs and the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer
from torch.optim.swa_utils import AveragedModel

from nasmake.config.retrain import Retrain
from nasmake.core.files import read_json, write_csv, write_json
from nasmake.core.records import BELOW_MEDIAN, COMPLETE, PRUNED
from nasmake.costs.table import count_macs, count_parameters
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.device import seed_torch
from nasmake.engine.distributed import add_gradients, rank_key, share_of_batch
from nasmake.engine.metrics import scores
from nasmake.engine.optimizers import set_learning_rate
from nasmake.engine.schedules import cosine, warmup_factor
from nasmake.engine.stage_module import StageModule, StoppedError
from nasmake.engine.stage_run import Rows, StageRun, stage
from nasmake.engine.weights import write_weights
from nasmake.jobs.job import Job
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture, NetworkSpec
from nasmake.search_spaces.own_operations import operations_of

COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of `network` whose `update_parameters` moves weights and BatchNorm statistics towards the network.

    After n steps the decay is at most (1 + n) / (10 + n), so the first weights are soon forgotten. This is TensorFlow's
    ExponentialMovingAverage with num_updates, which the published recipes of MnasNet use.

    Args:
        network: the network that is trained.
        decay: largest weight of the average in an update, 0..1.
    """

    @torch.no_grad()
    def update(averaged: Any, current: Any, steps: Tensor | int) -> None:
        number = float(steps)
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + number) / (10 + number)))
        else:  # BatchNorm counts its batches
            torch._foreach_copy_(averaged, current)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


class Retraining(StageModule):
    """Training of one network: SGD with label smoothing; the learning rate changes at every step.

    Args:
        network: maps [N, C, H, W] to logits [N, classes].
        source: training batches.
        val_source: batches of the validation after each epoch, if there is one.
        settings: section `retrain`.
        epochs: length of the training.
        seed_key: first parts of the seed key of dropout.
        prune_below: val accuracy (0..1) below which training stops, for each epoch; None for epochs without a limit.
    """

    def __init__(
        self,
        network: nn.Module,
        source: BatchSource,
        val_source: BatchSource | None,
        settings: Retrain,
        epochs: int,
        seed_key: tuple[int | str, ...],
        prune_below: Sequence[float | None] = (),
    ) -> None:
        super().__init__()
        self.network, self.settings, self.epochs, self.seed_key = network, settings, epochs, seed_key
        self.source, self.val_source, self.prune_below = source, val_source, prune_below
        self.average = moving_average(network, settings.ema_decay) if settings.ema_decay else None

    @property
    def weights_prefix(self) -> str:
        """Prefix of the trained weights in this module's state: those of the average if there is one."""
        return "network." if self.average is None else "average.module."

    def configure_optimizers(self) -> Optimizer:
        """Return SGD at the peak learning rate, with or without weight decay of BatchNorm parameters and biases."""
        settings = self.settings.hyperparameters
        decay = self.settings.weight_decay if settings.weight_decay is None else settings.weight_decay
        parameters = list(self.network.parameters())
        groups: list[dict[str, Any]] = [{"params": parameters, "weight_decay": decay}]
        if not self.settings.decay_norm_and_bias:  # these parameters are vectors
            groups = [
                {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": decay},
                {"params": [parameter for parameter in parameters if parameter.ndim == 1], "weight_decay": 0.0},
            ]
        nesterov = self.settings.nesterov and settings.momentum > 0
        return SGD(groups, lr=settings.base_lr, momentum=settings.momentum, nesterov=nesterov)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Update the weights, then their average: in one hook, so that no checkpoint is saved between the two."""
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed dropout and set the learning rate of this step."""
        seed_torch(self.device, *self.seed_key, "dropout", self.current_epoch, batch_idx, *rank_key())
        optimizer: Any = self.optimizers()
        set_learning_rate(optimizer, self.learning_rate(self.current_epoch + batch_idx / len(self.source)))

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """Return the loss of this rank's part of a batch, scaled by its share, and the sums of the scores."""
        images, labels, share = share_of_batch(self.source, self.current_epoch, batch_idx)
        logits = self.network(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
        return {"loss": loss * share, "metrics": scores(logits.detach(), labels, loss.detach())}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Add up the gradients of all ranks, before they are clipped."""
        add_gradients(self.network.parameters())

    def validation_step(self, step: int, batch_idx: int) -> dict[str, Tensor]:
        """Return the sums of the scores of one batch; the loss is without label smoothing."""
        assert self.val_source is not None
        images, labels, _ = share_of_batch(self.val_source, 0, batch_idx)
        logits = (self.average or self.network)(images)
        return scores(logits, labels, cross_entropy(logits.float(), labels))

    def epoch_summary(self) -> dict[str, float]:
        """Return the learning rate at the end of the epoch."""
        return {"lr": self.learning_rate(self.current_epoch + 1)}

    def reason_to_stop(self, row: Mapping[str, Any]) -> str | None:
        """Return a reason if val accuracy is below the limit of the epoch; the last epoch has no limit."""
        epoch, accuracy = row["epoch"], row.get("val_accuracy", 1.0)
        limit = self.prune_below[epoch - 1] if epoch <= len(self.prune_below) else None
        if limit is None or accuracy >= limit or epoch == self.epochs:
            return None
        return f"{BELOW_MEDIAN} {epoch}: val accuracy {accuracy:.4f} is below {limit:.4f}, the median of told trials"

    def learning_rate(self, epoch: float) -> float:
        """Return the learning rate at `epoch` (with a fraction): a linear warm-up, then a half cosine to 0.

        The warm-up begins at a third of base_lr. It is cut to half of the epochs if warmup_epochs is longer.
        """
        warmup, peak = min(self.settings.warmup_epochs, self.epochs / 2), self.settings.hyperparameters.base_lr
        return peak * (warmup_factor(epoch, warmup) if epoch < warmup else cosine(epoch - warmup, self.epochs - warmup))


@dataclass(frozen=True)
class Training:
    """The outcome of a training from scratch.

    Attributes:
        network: in eval mode on the training device; None if there is none or its training ended early.
        rows: one per epoch.
        record: facts about the network and the training, for the JSON file.
    """

    network: Network | None
    rows: Rows
    record: dict[str, Any]


def retrain(job: Job) -> None:
    """Run the stage of a trial: write model.safetensors, result.json and history/retrain.csv."""
    epochs = job.settings.nas.num_epochs_retrain or 1
    with stage(job) as run:
        training = train_from_scratch(run, epochs, with_val=True)
        record = training.record | {"trial": job.trial, "value": None}
        if training.network is not None:
            last = training.rows[-1]
            record |= {key: last[key] for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")}
            record["value"] = last["val_accuracy"]
        if job.prune_below is not None:
            record["val_accuracies"] = [row["val_accuracy"] for row in training.rows]
        write_training(run, training, record, "model.safetensors", "result.json", COLUMNS)


def train_from_scratch(run: StageRun, epochs: int, *, with_val: bool) -> Training:
    """Train the network of the job's architecture.json from scratch.

    Args:
        run: the stage.
        epochs: length of the training.
        with_val: train on train and validate on val after each epoch; else train on both without validation.

    Raises:
        InputError: the architecture does not fit the data set.
    """
    path = run.job.inputs["architecture"]
    content = read_json(path)
    if content["state"] != COMPLETE:
        return Training(None, [], {"state": content["state"], "reason": content["reason"], "epochs": epochs})
    own = operations_of(run.job.operations, may_run=True)
    spec = Architecture.from_json(content, str(path), len(run.splits.manifest["classes"]), own).spec
    latency = {"latency_ms": content["latency_ms"]} if "latency_ms" in content else {}
    training = train_network(run, spec, epochs, with_val=with_val)
    return replace(training, record=training.record | latency)


def train_network(run: StageRun, spec: NetworkSpec, epochs: int, *, with_val: bool) -> Training:
    """Train one network from scratch with the settings of the job.

    Args:
        run: the stage; its folder holds the training state.
        spec: the network.
        epochs: length of the training.
        with_val: train on train and validate on val after each epoch; else train on both without validation.
    """
    job, splits, settings = run.job, run.splits, run.job.settings.retrain
    seed_key = (job.settings.nas.seed, job.stage)
    seed_torch(torch.device("cpu"), *seed_key, "weights")
    network = run.runtime.lay_out(Network(spec, splits.in_channels))
    batch_size = settings.hyperparameters.batch_size
    source = splits.training("train" if with_val else "train+val", batch_size, job.stage, settings.cutout_length)
    val_source = splits.evaluation("val", batch_size) if with_val else None
    record = {
        "state": COMPLETE,
        "architecture": spec.string(),
        "parameters": count_parameters(spec, splits.in_channels),
        "macs": count_macs(spec, splits.in_channels, splits.input_size),
        "epochs": epochs,
        "preprocessing": splits.preprocessing,
    }
    limits = job.prune_below or () if with_val else ()
    module = Retraining(network, source, val_source, settings, epochs, seed_key, limits)
    try:
        rows = run.fit(module, source, epochs, val_source=val_source, gradient_clip=settings.gradient_clip)
    except StoppedError as stopped:
        return Training(None, stopped.rows, record | {"state": PRUNED, "reason": f"{job.stage}: {stopped}"})
    network.load_state_dict(run.weights(module.weights_prefix))
    return Training(network.to(run.runtime.device).eval(), rows, record)


def write_training(
    run: StageRun, training: Training, record: dict[str, Any], weights: str, facts: str, columns: tuple[str, ...]
) -> None:
    """Write the artefacts of a training; the weights file is empty if there is no network.

    Args:
        run: the stage.
        training: its outcome.
        record: content of the JSON file.
        weights: name of the safetensors file.
        facts: name of the JSON file.
        columns: of the history.
    """
    job, network = run.job, training.network
    write_csv(job.history(job.stage), training.rows, columns)
    state = {} if network is None else dict(network.state_dict())
    write_weights(job.unit / weights, state, run.splits.preprocessing)
    write_json(job.unit / facts, record | {"provenance": job.provenance(run.runtime.name)})
