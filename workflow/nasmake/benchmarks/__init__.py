"""The measurements of `make bench`, and the timing that they share.

A measurement compares two actions that run in turn in one process, so that other load on the machine falls on both.
Times are CPU times of one thread. A ratio is the geometric mean over random networks of the smallest time of one
action divided by that of the other. This package may import every lower package; nothing imports it but
scripts/bench.py. tests/scripts/test_bench.py runs it.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from nasmake.engine.device import keep_freed_memory
from nasmake.search_spaces import SearchSpace, library


def one_thread() -> None:
    """Let this process compute with one thread, so that CPU time equals run time, and keep freed memory as jobs do."""
    torch.set_num_threads(1)
    keep_freed_memory()


def shipped_space(name: str) -> SearchSpace:
    """Return a search space of config/search_spaces by its name, such as `proxyless_cifar10`."""
    return library.load_space(library.SPACES / f"config_{name}.yaml")


def cpu_seconds(action: Callable[[], object]) -> float:
    """Return the CPU time of one call in this process, in seconds."""
    began = time.process_time()
    action()
    return time.process_time() - began


def smallest_times(actions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the smallest CPU time of each action in seconds.

    Each action is called once to warm up. Then all actions are called in turn, `repeats` times.
    """
    for action in actions:
        action()
    rounds = [[cpu_seconds(action) for action in actions] for _ in range(repeats)]
    return [min(times) for times in zip(*rounds, strict=True)]


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Return the geometric mean, the extremes and the number of ratios."""
    return {"mean": statistics.geometric_mean(ratios), "low": min(ratios), "high": max(ratios), "n": len(ratios)}
