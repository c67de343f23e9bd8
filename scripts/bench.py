"""Measure speed, as ratios where two things can be compared. Prints each number when it is measured, and saves all."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.files import write_json
from nasmake.core.hardware import processor
from nasmake.core.provenance import provenance
from nasmake.jobs.cli import script

MEASUREMENTS = ("retraining", "steps", "evaluation", "memory", "costing", "data", "startup", "scale")
SPACES = tuple(
    f"{kind}_{dataset}" for dataset in ("digits", "cifar10", "imagenet") for kind in ("proxyless", "mnasnet")
)
Rows = Iterable[tuple[str, Mapping[str, float]]]


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=MEASUREMENTS, help="default: all")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES, help="search spaces; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer networks, repetitions and trials")
    parser.add_argument("--out", type=Path, default=Path("bench/bench.json"))
    arguments = parser.parse_args(argv)
    from nasmake.benchmarks import one_thread

    one_thread()
    measure = measurements(arguments.spaces, arguments.quick)
    machine = {"cpu": processor(), "cores": os.cpu_count(), "threads": 1}
    results: dict[str, dict[str, Any]] = {}
    for name in arguments.only:
        results[name] = {}
        print(name, flush=True)
        for part, numbers in measure[name]():
            print(f"  {part:<36} {'  '.join(f'{key} {value:,.4g}' for key, value in numbers.items())}", flush=True)
            results[name][part] = numbers
            write_json(arguments.out, results | {"machine": machine, "provenance": provenance(started)})


def measurements(spaces: Sequence[str], is_quick: bool) -> dict[str, Callable[[], Rows]]:
    """Return a function for each of MEASUREMENTS. This function loads torch."""
    from nasmake.benchmarks.processes import dry_runs, startup
    from nasmake.benchmarks.retraining import retraining_ratio
    from nasmake.benchmarks.steps import evaluation_ratios, peak_memory, step_ratios
    from nasmake.benchmarks.throughput import costed_per_second, loaded_per_second

    networks, repeats = (1, 1) if is_quick else (10, 3)
    return {
        "retraining": lambda: retraining_ratio(4 if is_quick else 40, repeats),
        "steps": lambda: step_ratios(spaces, networks, repeats),
        "evaluation": lambda: evaluation_ratios(spaces, networks, repeats),
        "memory": lambda: peak_memory(spaces, (1,) if is_quick else (1, 8)),
        "costing": lambda: costed_per_second(spaces),
        "data": lambda: loaded_per_second(repeats),
        "startup": lambda: startup(repeats),
        "scale": lambda: dry_runs((15, 100) if is_quick else (15, 100, 300, 1000)),
    }


if __name__ == "__main__":
    script(main, sys.argv[1:])
