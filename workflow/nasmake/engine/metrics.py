"""Sums that metrics are made of, and the evaluation of a network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.distributed import share_of_batch, sum_over_ranks


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
        images, labels, _ = share_of_batch(*source.batch(0, step))
        logits = network(images)
        sums = scores(logits, labels, cross_entropy(logits.float(), labels), sums)
    sums = sum_over_ranks(sums)
    count = sums["count"].item()
    return sums["loss"].item() / count, sums["accuracy"].item() / count
