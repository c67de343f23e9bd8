"""Read the result of every trial, and write the numbers of the best ones to promoted.json."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import write_json
from nasmake.core.provenance import provenance
from nasmake.core.records import read_result, trial_folder
from nasmake.jobs.cli import script
from nasmake.report.summary import promote


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", required=True, type=int, help="number of promoted trials")
    parser.add_argument("--objectives", default=["val_accuracy"], nargs="+", help="objectives of the study")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--trials", required=True, type=int, help="number of trials")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    results = [read_result(arguments.run / trial_folder(trial) / "result.json") for trial in range(arguments.trials)]
    trials = promote(results, arguments.top, arguments.objectives)
    print(f"promoted: {trials}")
    write_json(arguments.out, {"trials": trials, "provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
