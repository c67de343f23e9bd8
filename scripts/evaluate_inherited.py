"""The result of a trial without retraining: the val score of the network that was found, with inherited weights."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import read_json, write_json
from nasmake.core.provenance import provenance
from nasmake.core.records import COMPLETE
from nasmake.jobs.cli import script

COSTS = ("parameters", "macs", "latency_ms")


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suggestion", required=True, type=Path, help="the trial's suggestion.json")
    parser.add_argument("--architecture", required=True, type=Path, help="architecture.json of the search")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    found, trial = read_json(arguments.architecture), read_json(arguments.suggestion)["trial"]
    result = {"trial": trial, "state": found["state"], "epochs": 0, "value": None}
    if found["state"] == COMPLETE:
        scores = {name: found["scores"][name] for name in ("val_loss", "val_accuracy")}
        result |= scores | {"value": scores["val_accuracy"], "architecture": found["string"]}
        result |= {name: found[name] for name in COSTS if name in found}
    else:
        result["reason"] = found["reason"]
    write_json(arguments.out, result | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
