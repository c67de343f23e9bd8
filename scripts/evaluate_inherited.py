"""Read the architecture of a search, and write its val score with inherited weights as result.json of a trial."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import read_json, write_json
from nasmake.core.provenance import provenance
from nasmake.core.records import COMPLETE, read_suggestion
from nasmake.jobs.cli import script

COSTS = ("parameters", "macs", "latency_ms")


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suggestion", required=True, type=Path, help="the trial's suggestion.json")
    parser.add_argument("--architecture", required=True, type=Path, help="architecture.json of the search")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    architecture, trial = read_json(arguments.architecture), read_suggestion(arguments.suggestion).trial
    result = {"trial": trial, "state": architecture["state"], "epochs": 0, "value": None}
    if architecture["state"] == COMPLETE:
        scores = {name: architecture["scores"][name] for name in ("val_loss", "val_accuracy")}
        result |= scores | {"value": scores["val_accuracy"], "architecture": architecture["string"]}
        result |= {name: architecture[name] for name in COSTS if name in architecture}
    else:
        result["reason"] = architecture["reason"]
    write_json(arguments.out, result | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
