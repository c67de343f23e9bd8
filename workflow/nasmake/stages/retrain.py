"""Train a found architecture from scratch on train, in every trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer
from torch.optim.swa_utils import AveragedModel

from nasmake.config.retrain import Retrain
from nasmake.core.files import read_json, write_csv, write_json
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.costs.table import count_macs, count_parameters
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.device import seed_torch
from nasmake.engine.distributed import add_gradients, rank_key, share_of_batch
from nasmake.engine.metrics import scores
from nasmake.engine.optimizers import set_learning_rate
from nasmake.engine.schedules import WARMUP_START, cosine
from nasmake.engine.stage_module import StageModule, StoppedError
from nasmake.engine.stage_run import Rows, StageRun, stage
from nasmake.engine.weights import write_weights
from nasmake.jobs.job import Job
from nasmake.models.layers import channels_last
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of `network` whose `update_parameters` moves weights and BatchNorm's statistics towards the network's.

    After n steps the decay is at most (1 + n) / (10 + n), so that the first weights are soon forgotten (TensorFlow's
    ExponentialMovingAverage with num_updates, which the published recipes of MnasNet use).
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
    """SGD with warm-up and cosine per step, and label smoothing.

    Args:
        prune_below: val accuracy below which training stops, by epoch; None where it does not.
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
        """Where the weights of the network that counts are in this module's state."""
        return "network." if self.average is None else "average.module."

    def configure_optimizers(self) -> Optimizer:
        """SGD at the peak learning rate."""
        chosen = self.settings.hyperparameters
        decay = self.settings.weight_decay if chosen.weight_decay is None else chosen.weight_decay
        nesterov = self.settings.nesterov and chosen.momentum > 0
        return SGD(self._parameter_groups(decay), lr=chosen.base_lr, momentum=chosen.momentum, nesterov=nesterov)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """A step of the weights, then of their average: in one hook, so that no training state lies between them."""
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Fix dropout and the learning rate of this step."""
        seed_torch(self.device, *self.seed_key, "dropout", self.current_epoch, batch_idx, *rank_key())
        optimizer: Any = self.optimizers()
        set_learning_rate(optimizer, self._rate(self.current_epoch + batch_idx / len(self.source)))

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """Loss of one batch."""
        images, labels, share = share_of_batch(*self.source.batch(self.current_epoch, batch_idx))
        logits = self.network(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
        return {"loss": loss * share, "metrics": scores(logits.detach(), labels, loss.detach())}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Add the gradients of all ranks up, before they are clipped."""
        add_gradients(self.network.parameters())

    def validation_step(self, step: int, batch_idx: int) -> dict[str, Tensor]:
        """Scores of one batch, without smoothing."""
        assert self.val_source is not None
        images, labels, _ = share_of_batch(*self.val_source.batch(0, batch_idx))
        logits = (self.average or self.network)(images)
        return scores(logits, labels, cross_entropy(logits.float(), labels))

    def epoch_summary(self) -> dict[str, float]:
        """The learning rate at the end of the epoch."""
        return {"lr": self._rate(self.current_epoch + 1)}

    def reason_to_stop(self, row: Mapping[str, Any]) -> str | None:
        """Whether val accuracy is below the limit of the epoch; after the last one there is nothing to stop."""
        epoch, accuracy = row["epoch"], row.get("val_accuracy", 1.0)
        limit = self.prune_below[epoch - 1] if epoch <= len(self.prune_below) else None
        if limit is None or accuracy >= limit or epoch == self.epochs:
            return None
        return f"pruned in epoch {epoch}: val accuracy {accuracy:.4f} is below {limit:.4f}, the median of told trials"

    def _parameter_groups(self, decay: float) -> list[dict[str, Any]]:
        """All parameters as one group; as two, if vectors (BatchNorm's and biases) do not decay."""
        parameters = list(self.network.parameters())
        if self.settings.decay_norm_and_bias:
            return [{"params": parameters, "weight_decay": decay}]
        vectors = [parameter for parameter in parameters if parameter.ndim == 1]
        others = [parameter for parameter in parameters if parameter.ndim > 1]
        return [{"params": others, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]

    def _rate(self, epoch: float) -> float:
        warmup = min(self.settings.warmup_epochs, self.epochs / 2)
        if epoch < warmup:
            return self.settings.hyperparameters.base_lr * (WARMUP_START + (1 - WARMUP_START) * epoch / warmup)
        return self.settings.hyperparameters.base_lr * cosine(epoch - warmup, self.epochs - warmup)


COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")


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


def _train(run: StageRun, epochs: int, *, with_val: bool) -> Trained:
    job, splits = run.job, run.splits
    found = read_json(job.inputs["architecture"])
    if found["state"] != COMPLETE:
        return Trained(None, [], {"state": found["state"], "reason": found["reason"], "epochs": epochs})
    spec = Architecture.from_json(found, str(job.inputs["architecture"]), len(splits.manifest["classes"])).spec
    seed_key = (job.settings.nas.seed, job.stage)
    seed_torch(torch.device("cpu"), *seed_key, "weights")
    network = channels_last(Network(spec, splits.in_channels))
    settings = job.settings.retrain
    batch_size, cutout = settings.hyperparameters.batch_size, settings.cutout_length
    source = splits.training("train" if with_val else "train+val", batch_size, job.stage, cutout)
    val_source = splits.evaluation("val", batch_size) if with_val else None
    record = {
        "state": COMPLETE,
        "architecture": spec.string(),
        "parameters": count_parameters(spec, splits.in_channels),
        "macs": count_macs(spec, splits.in_channels, splits.input_size),
        "epochs": epochs,
    } | {key: found[key] for key in ("latency_ms",) if key in found}
    limits = job.prune_below or () if with_val else ()
    module = Retraining(network, source, val_source, settings, epochs, seed_key, limits)
    try:
        rows = run.fit(module, source, epochs, val_source=val_source, gradient_clip=settings.gradient_clip)
    except StoppedError as stopped:
        return Trained(None, stopped.rows, record | {"state": PRUNED, "reason": f"{job.stage}: {stopped}"})
    network.load_state_dict(run.weights(module.weights_prefix))
    return Trained(network.to(run.runtime.device).eval(), rows, record)


def _write(
    run: StageRun, trained: Trained, record: dict[str, Any], model: str, facts: str, columns: tuple[str, ...]
) -> None:
    job, unit = run.job, run.job.unit
    write_csv(job.history(job.stage), trained.rows, columns)
    write_weights(unit / model, {} if trained.network is None else dict(trained.network.state_dict()))
    write_json(unit / Path(facts), record | {"provenance": job.provenance(run.runtime.name)})
