"""Sums from which epoch metrics are computed, and the evaluation of a network.

This module may import data and `engine.distributed`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.distributed import share_of_batch, sum_over_ranks


def scores(
    logits: Tensor, labels: Tensor, loss: Tensor, added_to: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return sums over the images of a batch: of the loss, of the correct predictions, and the number of images.

    Args:
        logits: [N, classes].
        labels: int64 [N].
        loss: scalar, the mean over the batch.
        added_to: sums of earlier batches, to which those of this batch are added.

    Returns:
        float32 scalars "loss", "accuracy" and "count".
    """
    count = torch.full((), float(len(labels)), device=loss.device)  # torch.tensor would let the host wait for a GPU
    if not len(labels):  # a rank may have no image in this batch; the mean over no images is NaN
        loss = torch.zeros_like(loss)
    correct = (logits.argmax(1) == labels).sum().float()
    sums = {"loss": loss.float() * count, "accuracy": correct, "count": count}
    return {name: value + added_to[name] for name, value in sums.items()} if added_to else sums


@torch.no_grad()
def evaluate(network: nn.Module, source: BatchSource) -> tuple[float, float]:
    """Return mean cross entropy and accuracy (0..1) over all images of `source`.

    Args:
        network: maps [N, C, H, W] to logits [N, classes]; it is left in eval mode.
        source: batches of its first epoch are used.
    """
    network.eval()
    sums: dict[str, Tensor] = {}
    for step in source:
        images, labels, _ = share_of_batch(source, 0, step)
        logits = network(images)
        sums = scores(logits, labels, cross_entropy(logits.float(), labels), sums)
    sums = sum_over_ranks(sums)
    count = sums["count"].item()
    return sums["loss"].item() / count, sums["accuracy"].item() / count
