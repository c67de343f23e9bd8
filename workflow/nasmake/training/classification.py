"""Training one network on labelled images, and the sums that metrics are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer
from torch.optim.swa_utils import AveragedModel

from nasmake.config import Retrain
from nasmake.data.batches import BatchSource
from nasmake.training.optimizers import set_learning_rate
from nasmake.training.ranks import add_gradients, part_of, rank_key, sums_over_ranks
from nasmake.training.schedules import WARMUP_START, cosine
from nasmake.training.seeding import seed_torch
from nasmake.training.state import StageModule


def scores(
    logits: Tensor, labels: Tensor, loss: Tensor, added_to: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Sums over the samples of a batch: loss, right answers, number.

    Args:
        logits: [N, classes].
        labels: int64 [N].
        loss: mean over the batch.
        added_to: sums of other batches.
    """
    count = torch.tensor(float(len(labels)), device=loss.device)
    if not len(labels):  # a rank without an image in this batch: the mean of none is no number
        loss = torch.zeros_like(loss)
    right = (logits.argmax(1) == labels).sum().float()
    sums = {"loss": loss.float() * count, "accuracy": right, "count": count}
    return {name: value + added_to[name] for name, value in sums.items()} if added_to else sums


@torch.no_grad()
def evaluate(network: nn.Module, source: BatchSource) -> tuple[float, float]:
    """Mean cross entropy and accuracy (0..1) of a network in eval mode, over all of `source`."""
    network.eval()
    sums: dict[str, Tensor] = {}
    for step in source:
        images, labels, _ = part_of(*source.batch(0, step))
        logits = network(images)
        sums = scores(logits, labels, cross_entropy(logits.float(), labels), sums)
    sums = sums_over_ranks(sums)
    count = sums["count"].item()
    return sums["loss"].item() / count, sums["accuracy"].item() / count


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
        where: tuple[int | str, ...],
        prune_below: Sequence[float | None] = (),
    ) -> None:
        super().__init__()
        self.network, self.settings, self.epochs, self.where = network, settings, epochs, where
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
        seed_torch(self.device, *self.where, "dropout", self.current_epoch, batch_idx, *rank_key())
        optimizer: Any = self.optimizers()
        set_learning_rate(optimizer, self._rate(self.current_epoch + batch_idx / len(self.source)))

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """Loss of one batch."""
        images, labels, share = part_of(*self.source.batch(self.current_epoch, batch_idx))
        logits = self.network(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
        return {"loss": loss * share, "metrics": scores(logits.detach(), labels, loss.detach())}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Add the gradients of all ranks up, before they are clipped."""
        add_gradients(self.network.parameters())

    def validation_step(self, step: int, batch_idx: int) -> dict[str, Tensor]:
        """Scores of one batch, without smoothing."""
        assert self.val_source is not None
        images, labels, _ = part_of(*self.val_source.batch(0, batch_idx))
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
