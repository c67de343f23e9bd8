"""Measure start-up: what the Snakefile imports, a dry run, and each script. Prints a table and writes JSON."""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.artifacts import write_json
from nasmake.job import script

PARSED = "nasmake.artifacts, nasmake.config, nasmake.controller, nasmake.preflight, nasmake.stages"
IMPORTS = {
    "suggest": "nasmake.study",
    "train_supernet": "nasmake.training.supernet_training",
    "search_architecture": "nasmake.training.search",
    "retrain": "nasmake.training.retraining",
    "report": "nasmake.plots",
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each command; the first is left out")
    parser.add_argument("--out", type=Path, default=Path("bench/startup.json"))
    arguments = parser.parse_args(argv)
    python = [sys.executable, "-c"]
    commands = {
        "python, nothing imported": [*python, "pass"],
        "what the Snakefile imports": [*python, f"import {PARSED}"],
        "snakemake -n of config/config.yaml": ["snakemake", "-n", "--quiet", "all"],
    }
    commands |= {f"script {name}": [*python, f"import {module}"] for name, module in IMPORTS.items()}
    seconds = {name: measure(command, arguments.repeats) for name, command in commands.items()}
    baseline = seconds["python, nothing imported"]["median"]
    for name, measured in seconds.items():
        spread = f"{measured['low']:.2f} .. {measured['high']:.2f}"
        print(f"{name:<40} {measured['median']:6.2f} s  ({spread})  {measured['median'] / baseline:6.1f} x bare python")
    machine = {"cpu": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()}
    write_json(arguments.out, {"wall_seconds": seconds, "repeats": arguments.repeats, "machine": machine})


def measure(command: list[str], repeats: int) -> dict[str, float]:
    """Wall time of fresh processes in seconds: median and quartiles. The first is left out: it warms the caches."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    low, median, high = statistics.quantiles(times[1:], n=4)
    return {"low": low, "median": median, "high": high}


if __name__ == "__main__":
    script(main, sys.argv[1:])
