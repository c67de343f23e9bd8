"""Learning rates as pure functions of the epoch fraction: nothing to save, nothing that depends on the batch count."""

import math
from collections.abc import Callable

from nasmake.config.supernet import Scheduler

WARMUP_START = 1 / 3  # of the peak; the predecessor's warm-up


def factor(settings: Scheduler, epoch: float, epochs: int) -> float:
    """Learning rate at `epoch` (with its fraction, 0 at the first step) of `epochs`, as a share of the peak."""
    warmup = min(settings.warmup_epochs, epochs)
    if epoch < warmup:
        return WARMUP_START + (1 - WARMUP_START) * epoch / warmup
    return _SHAPES[settings.scheduler](settings, epoch - warmup, epochs - warmup)


def cosine(epoch: float, epochs: float) -> float:
    """From 1 to 0 over `epochs` (Loshchilov and Hutter, arXiv 1608.03983, without restarts)."""
    done = min(1.0, epoch / epochs) if epochs else 1.0  # no epochs: the warm-up took them all
    return 0.5 * (1 + math.cos(math.pi * done))


def _multi_step(settings: Scheduler, epoch: float, epochs: float) -> float:
    if epoch < settings.milestone_start:
        return 1.0
    drops = 1 + (epoch - settings.milestone_start) // settings.milestone_step
    return float(settings.gamma**drops)


def _linear(settings: Scheduler, epoch: float, epochs: float) -> float:
    done = min(1.0, epoch / settings.total_epochs)
    return settings.start_factor + (settings.end_factor - settings.start_factor) * done


_SHAPES: dict[str, Callable[[Scheduler, float, float], float]] = {
    "MultiStep": _multi_step,
    "Linear": _linear,
    "Exponential": lambda settings, epoch, epochs: settings.gamma**epoch,
    "Cosine": lambda settings, epoch, epochs: cosine(epoch, epochs),
}
