"""Learning rates as pure functions of the epoch.

A schedule has no state to save, and the number of batches in an epoch does not change its shape. The
schedule of the retraining is put together in `nasmake.stages.retrain`. This module may import core and config.
"""

import math

from nasmake.config.supernet import SCHEDULER_READS, Scheduler
from nasmake.core.declared import restrict

WARMUP_START = 1 / 3  # of the peak; the predecessor's warm-up


def factor(settings: Scheduler, epoch: float, epochs: int) -> float:
    """Return the learning rate as a share of its peak.

    Args:
        settings: the shape and its hyperparameters.
        epoch: time since the first step in epochs, with a fraction within an epoch; 0 .. `epochs`.
        epochs: length of the training.
    """
    warmup = min(settings.warmup_epochs, epochs)
    if epoch < warmup:
        return warmup_factor(epoch, warmup)
    elapsed, name = epoch - warmup, settings.scheduler
    settings = restrict(settings, SCHEDULER_READS[name], f"learning rate schedule {name}")
    match name:
        case "MultiStep":
            if elapsed < settings.milestone_start:
                return 1.0
            drops = 1 + (elapsed - settings.milestone_start) // settings.milestone_step
            return float(settings.gamma**drops)
        case "Linear":
            done = min(1.0, elapsed / settings.total_epochs)
            return settings.start_factor + (settings.end_factor - settings.start_factor) * done
        case "Exponential":
            return float(settings.gamma**elapsed)
        case "Cosine":
            return cosine(elapsed, epochs - warmup)


def warmup_factor(epoch: float, warmup: float) -> float:
    """Return the share of the peak at `epoch` of a linear warm-up of `warmup` epochs."""
    return WARMUP_START + (1 - WARMUP_START) * epoch / warmup


def cosine(epoch: float, epochs: float) -> float:
    """Return the half cosine from 1 at epoch 0 to 0 at `epochs` (Loshchilov and Hutter, arXiv 1608.03983, Eq. 5).

    There are no restarts.
    """
    done = min(1.0, epoch / epochs) if epochs else 1.0  # a warm-up of the whole length leaves no epochs
    return 0.5 * (1 + math.cos(math.pi * done))
