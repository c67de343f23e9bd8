"""Optimizers, by the predecessor's names. Each one reads its own hyperparameters only.

This module may import core and config.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn, optim

from nasmake.config.supernet import OPTIMIZER_READS, Optimizer
from nasmake.core.declared import restrict

# Nesterov's method needs a momentum above 0. The predecessor takes this one for 0.
SMALLEST_MOMENTUM = float(torch.finfo(torch.float64).eps)
LARGEST_BETA = 1 - 1e-6  # the predecessor's range ends at 1, where an average would never move


def build_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """Return the optimizer that `settings.optimizer` names, at the peak learning rate."""
    name = settings.optimizer
    view = restrict(settings, ("lr", "weight_decay", *OPTIMIZER_READS[name]), f"optimizer {name}")
    return OPTIMIZERS[name](parameters, view)


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step in every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _common(settings: Optimizer) -> dict[str, Any]:
    return {"lr": settings.lr, "weight_decay": settings.weight_decay}


def _adaptive(settings: Optimizer) -> dict[str, Any]:
    betas = (min(settings.beta1, LARGEST_BETA), min(settings.beta2, LARGEST_BETA))
    return _common(settings) | {"betas": betas, "eps": settings.eps}


OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter], Optimizer], optim.Optimizer]] = {
    "MomentumSGD": lambda parameters, s: optim.SGD(
        parameters, momentum=s.momentum, dampening=s.dampening, **_common(s)
    ),
    "NAG": lambda parameters, s: optim.SGD(
        parameters, momentum=s.momentum or SMALLEST_MOMENTUM, nesterov=True, **_common(s)
    ),
    "RMSprop": lambda parameters, s: optim.RMSprop(
        parameters, alpha=s.smoothing, eps=s.eps, momentum=s.momentum, **_common(s)
    ),
    "Adam": lambda parameters, s: optim.Adam(parameters, **_adaptive(s)),
    "AMSGrad": lambda parameters, s: optim.Adam(parameters, amsgrad=True, **_adaptive(s)),
    "NAdam": lambda parameters, s: optim.NAdam(parameters, momentum_decay=s.momentum_decay, **_adaptive(s)),
    "AdamW": lambda parameters, s: optim.AdamW(parameters, **_adaptive(s)),
}
