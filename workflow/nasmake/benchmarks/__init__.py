"""What `make bench` measures: ratios of two things done in turn in one process, so that other load falls on both.

Times are CPU times of one thread; a ratio is the geometric mean over paths of the smallest time of each side.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from nasmake.engine.device import keep_freed_memory
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces import library as catalogue


def one_thread() -> None:
    """Let this process compute with one thread, so that CPU time is what a step takes, and hold memory as jobs do."""
    torch.set_num_threads(1)
    keep_freed_memory()


def shipped_space(name: str) -> SearchSpace:
    """A shipped search space."""
    return catalogue.load_space(catalogue.SPACES / f"config_{name}.yaml")


def cpu_seconds(action: Callable[[], object]) -> float:
    """CPU time of one call in this process."""
    began = time.process_time()
    action()
    return time.process_time() - began


def smallest_times(actions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Smallest CPU time of each action; they are called in turn, after one call each to warm up."""
    for action in actions:
        action()
    rounds = [[cpu_seconds(action) for action in actions] for _ in range(repeats)]
    return [min(times) for times in zip(*rounds, strict=True)]


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Geometric mean and extremes of ratios."""
    return {"mean": statistics.geometric_mean(ratios), "low": min(ratios), "high": max(ratios), "n": len(ratios)}


def images(batch_size: int, edge: int, channels: int) -> torch.Tensor:
    """Random images as batches are made: float32 [N, C, H, W] in channels_last memory."""
    return torch.randn(batch_size, edge, edge, channels).permute(0, 3, 1, 2)
