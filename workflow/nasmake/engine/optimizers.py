"""Optimizers by the predecessor's class names; each reads its own hyperparameters only."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn, optim

from nasmake.config.supernet import Optimizer

SMALLEST_MOMENTUM = float(
    torch.finfo(torch.float64).eps
)  # Nesterov's method needs one above 0; the predecessor's choice
LARGEST_BETA = 1 - 1e-6  # the predecessor's range ends at 1, where an average would never move


def build_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """Make the optimizer that `settings.optimizer` names, at the peak learning rate."""
    return _OPTIMIZERS[settings.optimizer](parameters, settings)


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Write the learning rate of the coming step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _common(settings: Optimizer) -> dict[str, Any]:
    return {"lr": settings.lr, "weight_decay": settings.weight_decay}


def _adaptive(settings: Optimizer) -> dict[str, Any]:
    betas = (min(settings.beta1, LARGEST_BETA), min(settings.beta2, LARGEST_BETA))
    return _common(settings) | {"betas": betas, "eps": settings.eps}


_OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter], Optimizer], optim.Optimizer]] = {
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
