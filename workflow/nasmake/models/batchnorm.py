"""Batch normalisation statistics of networks that were not trained by themselves.

`recalibrate_batchnorm` computes statistics over many batches; `batch_statistics` uses those of each single batch;
`fold_batchnorm` makes statistics that are final a part of the convolutions.
tests/models/test_supernet.py tests this module.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from nasmake.models.layers import ConvBN
from nasmake.models.network import Network
from nasmake.models.sliced import NORMS
from nasmake.models.supernet import Supernet


@contextmanager
def batch_statistics(supernet: Supernet) -> Iterator[None]:
    """Normalise each batch by its statistics and leave the running statistics as they are; dropout is off.

    Args:
        supernet: returns to its mode (training or evaluation) at the end.
    """
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
            norm.momentum = supernet.spec.bn_momentum
        supernet.train(was_training)


@torch.no_grad()
def recalibrate_batchnorm(model: Network | Supernet, batches: Iterable[Tensor]) -> None:
    """Replace the batch normalisation statistics by their mean over `batches`; dropout is off.

    Every batch has the same weight, so all batches should have the same size. In a supernet, only the statistics of the
    active subnet change.

    Args:
        model: is in evaluation mode afterwards.
        batches: images [N, C, H, W], normalised as in training but not augmented.

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
        norm.momentum = model.spec.bn_momentum
        norm.eval()
    if not count:
        raise ValueError("recalibrate_batchnorm: no batch; expected at least one")


@torch.no_grad()
def fold_batchnorm(network: Network) -> None:
    """Make batch normalisation a part of the convolutions before it, which saves a fifth of a forward pass.

    The logits stay the same up to rounding.

    Args:
        network: can only be evaluated afterwards.
    """
    for module in network.modules():
        if isinstance(module, ConvBN) and isinstance(bn := module.bn, nn.BatchNorm2d):
            assert bn.running_mean is not None and bn.running_var is not None
            statistics = bn.running_mean, bn.running_var, bn.eps
            conv = module.conv
            conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, None, *statistics, bn.weight, bn.bias)
            module.bn = nn.Identity()
