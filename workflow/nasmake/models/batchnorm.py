"""BatchNorm statistics of a network that was not trained by itself: recalibration, and statistics of single batches."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nasmake.models.layers import MOMENTUM
from nasmake.models.network import Network
from nasmake.models.sliced import NORMS
from nasmake.models.supernet import Supernet


@contextmanager
def batch_statistics(supernet: Supernet) -> Iterator[None]:
    """Normalise by the statistics of each batch and remember none; dropout is off. For scores of single batches."""
    was_training = supernet.training
    supernet.eval()
    norms: list[Any] = [module for module in supernet.modules() if isinstance(module, NORMS)]
    for norm in norms:
        norm.train()
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm in norms:
            norm.momentum = MOMENTUM
        supernet.train(was_training)


@torch.no_grad()
def recalibrate_batchnorm(model: Network | Supernet, batches: Iterable[Tensor]) -> None:
    """Replace the statistics of the batch normalisations in use by the mean over `batches`; then evaluation mode.

    Every batch counts the same, so all should be of one size. Dropout is off. Of a supernet, only the active subnet's
    statistics change.

    Args:
        model: left in evaluation mode.
        batches: images [N, C, H, W] as in training, but not augmented.

    Raises:
        ValueError: there is no batch.
    """
    model.eval()
    norms: list[Any] = model.batchnorms()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    count = 0
    for count, batch in enumerate(batches, 1):
        for norm in norms:
            norm.momentum = 1 / count  # makes the running statistics the mean over all batches so far
        model(batch)
    for norm in norms:
        norm.momentum = MOMENTUM
        norm.eval()
    if not count:
        raise ValueError("recalibrate_batchnorm: no batch")
