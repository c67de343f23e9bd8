"""Measure speed, as ratios where two things can be compared. Prints what it finds and writes bench/bench.json."""

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

SPACES = tuple(
    f"{kind}_{dataset}" for kind in ("proxyless", "mnasnet") for dataset in ("cifar10", "imagenet", "digits")
)
MEMORY_SPACES = ("proxyless_cifar10", "mnasnet_cifar10")


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=(*measurements(20, 5, SPACES),), help="measure these; default: all"
    )
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES, help="for what is measured by space")
    parser.add_argument("--paths", type=int, default=20, help="architectures of each space")
    parser.add_argument("--repeats", type=int, default=5, help="of each time; the smallest counts")
    parser.add_argument("--out", type=Path, default=Path("bench/bench.json"))
    arguments = parser.parse_args(argv)
    from nasmake.benchmarks import one_thread

    one_thread()
    chosen = measurements(arguments.paths, arguments.repeats, arguments.spaces)
    found: dict[str, Any] = {}
    for name in arguments.only or chosen:
        found[name] = chosen[name]()
        show(name, found[name])
    machine = {"cpu": processor(), "cores": os.cpu_count(), "threads": 1}
    write_json(arguments.out, found | {"machine": machine, "provenance": provenance(started)})


def measurements(paths: int, repeats: int, spaces: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """What can be measured, by name; nothing is imported before it is called."""

    def steps() -> Any:
        from nasmake.benchmarks.steps import step_ratios

        return {name: step_ratios(name, paths, repeats) for name in spaces}

    def evaluation() -> Any:
        from nasmake.benchmarks.steps import evaluation_ratio

        return {name: evaluation_ratio(name, max(paths // 4, 2), repeats) for name in spaces}

    def memory() -> Any:
        from nasmake.benchmarks.steps import peak_memory

        cases = product(MEMORY_SPACES, (1, 8))
        return {f"{name}, {paths} paths a step": peak_memory(name, paths) for name, paths in cases}

    def costing() -> Any:
        from nasmake.benchmarks.throughput import costed_per_second

        return {name: costed_per_second(name) for name in spaces}

    def data() -> Any:
        from nasmake.benchmarks.throughput import images_per_second

        return images_per_second(repeats)

    def startup() -> Any:
        from nasmake.benchmarks.startup import startup_seconds

        return startup_seconds(repeats)

    return {part.__name__: part for part in (steps, evaluation, memory, costing, data, startup)}


def show(name: str, found: Any, indent: int = 0) -> None:
    """Print nested numbers, one name a line."""
    if isinstance(found, dict) and any(isinstance(value, dict) for value in found.values()):
        print(f"{'  ' * indent}{name}")
        for key, value in found.items():
            show(key, value, indent + 1)
        return
    numbers = found if isinstance(found, dict) else {"": found}
    text = "  ".join(f"{key} {value:,.3f}" if value < 1000 else f"{key} {value:,.0f}" for key, value in numbers.items())
    print(f"{'  ' * indent}{name:<36} {text}", flush=True)


if __name__ == "__main__":
    script(main, sys.argv[1:])
