"""Join the parts of a benchmark table: benchmark_table.csv, and benchmark_table.json with the provenance."""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import read_csv, read_json, write_csv, write_json
from nasmake.core.hardware import processor
from nasmake.core.json_text import parse_json
from nasmake.core.provenance import provenance
from nasmake.evidence.benchmark_table import MEASURED
from nasmake.jobs.cli import script

COSTS = ("decisions", "architecture", "parameters", "macs")


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="section `tabulate` and the search space as JSON")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--lists", required=True, type=Path, nargs="+", help="networks.json of every part, in order")
    arguments = parser.parse_args(argv)
    settings = parse_json(arguments.settings, "--settings")
    rows = []
    for path in arguments.lists:
        networks = read_json(path)["networks"]
        seeds = settings["tabulate"]["seeds"]
        trained = {seed: read_csv(path.parent / f"seed-{seed}" / "trained.csv") for seed in seeds}
        for index, network in enumerate(networks):
            costs = network | {"decisions": " ".join(map(str, network["decisions"]))}
            rows += [costs | {"seed": seed} | trained[seed][index] for seed in seeds]
    write_csv(arguments.run / "benchmark_table.csv", rows, (*COSTS, "seed", *MEASURED))
    machine = {"processor": processor(), "cores": os.cpu_count()}
    content = {"settings": settings, "provenance": provenance(started, machine=machine)}
    write_json(arguments.run / "benchmark_table.json", content)


if __name__ == "__main__":
    script(main)
