"""Sums from which epoch metrics are computed, and the evaluation of a network.

This module may import data and `engine.distributed`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.distributed import rows_of_share, share_of_batch, sum_over_ranks


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


class Predictions(NamedTuple):
    """The class that a network gives each of N images.

    Attributes:
        classes: number of the most probable class, float32 [N].
        confidences: probability of that class, float32 [N], 0..1.
    """

    classes: Tensor
    confidences: Tensor


def evaluate(network: nn.Module, source: BatchSource) -> tuple[float, float]:
    """Return mean cross entropy and accuracy (0..1) over all images of `source`; see `evaluate_each`."""
    loss, accuracy, _ = evaluate_each(network, source)
    return loss, accuracy


@torch.no_grad()
def evaluate_each(network: nn.Module, source: BatchSource) -> tuple[float, float, Predictions]:
    """Return mean cross entropy, accuracy (0..1), and the prediction for each image of `source`.

    Args:
        network: maps [N, C, H, W] to logits [N, classes]; it is left in eval mode.
        source: batches of its first epoch are used.
    """
    network.eval()
    sums: dict[str, Tensor] = {}
    empty = torch.zeros(len(source.labels), dtype=torch.float32, device=source.labels.device)
    found = {name: empty.clone() for name in Predictions._fields}
    for step in source:
        images, labels, _ = share_of_batch(source, 0, step)
        logits = network(images)
        sums = scores(logits, labels, cross_entropy(logits.float(), labels), sums)
        rows = rows_of_share(source, 0, step)
        confidences, classes = logits.float().softmax(1).max(1)
        found["classes"][rows], found["confidences"][rows] = classes.float(), confidences
    sums = sum_over_ranks(sums)
    count = sums["count"].item()
    predictions = Predictions(**sum_over_ranks(found))  # a rank has zeros for the images of the others
    return sums["loss"].item() / count, sums["accuracy"].item() / count, predictions
