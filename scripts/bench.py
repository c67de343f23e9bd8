"""Measure speed, as ratios where two things can be compared. Prints the numbers and writes bench/bench.json."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from nasmake.core.files import write_json
from nasmake.core.hardware import processor
from nasmake.core.provenance import provenance
from nasmake.jobs.cli import script

MEASUREMENTS = ("steps", "evaluation", "memory", "costing", "data", "files", "startup", "scale")
SPACES = tuple(
    f"{kind}_{dataset}" for kind in ("proxyless", "mnasnet") for dataset in ("cifar10", "imagenet", "digits")
)
MEMORY_SPACES = ("proxyless_cifar10", "mnasnet_cifar10")


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=MEASUREMENTS, help="default: all")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES, help="search spaces of steps and costs")
    parser.add_argument("--paths", type=int, default=20, help="random architectures of each space")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions of each time; the smallest counts")
    parser.add_argument("--out", type=Path, default=Path("bench/bench.json"))
    arguments = parser.parse_args(argv)
    from nasmake.benchmarks import one_thread

    one_thread()
    measure = measurements(arguments.paths, arguments.repeats, arguments.spaces)
    results: dict[str, Any] = {}
    for name in arguments.only:
        results[name] = measure[name]()
        show(name, results[name])
    machine = {"cpu": processor(), "cores": os.cpu_count(), "threads": 1}
    write_json(arguments.out, results | {"machine": machine, "provenance": provenance(started)})


def measurements(paths: int, repeats: int, spaces: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """Return a function for each of MEASUREMENTS. This function loads torch."""
    from nasmake.benchmarks.scale import plan_costs
    from nasmake.benchmarks.startup import startup_seconds
    from nasmake.benchmarks.steps import evaluation_ratio, peak_memory, step_ratios
    from nasmake.benchmarks.throughput import costed_per_second, files_per_second, images_per_second

    return {
        "steps": lambda: {name: step_ratios(name, paths, repeats) for name in spaces},
        "evaluation": lambda: {name: evaluation_ratio(name, max(paths // 4, 2), repeats) for name in spaces},
        "memory": lambda: {
            f"{name}, {per_step} paths a step": peak_memory(name, per_step)
            for name, per_step in product(MEMORY_SPACES, (1, 8))
        },
        "costing": lambda: {name: costed_per_second(name) for name in spaces},
        "data": lambda: images_per_second(repeats),
        "files": lambda: files_per_second(repeats),
        "startup": lambda: startup_seconds(repeats),
        "scale": plan_costs,
    }


def show(name: str, result: Any, indent: int = 0) -> None:
    """Print nested numbers, one name per line."""
    if isinstance(result, dict) and any(isinstance(value, dict) for value in result.values()):
        print(f"{'  ' * indent}{name}")
        for key, value in result.items():
            show(key, value, indent + 1)
        return
    numbers = result if isinstance(result, dict) else {"": result}
    text = "  ".join(f"{key} {value:,.3f}" if value < 1000 else f"{key} {value:,.0f}" for key, value in numbers.items())
    print(f"{'  ' * indent}{name:<36} {text}", flush=True)


if __name__ == "__main__":
    script(main, sys.argv[1:])
