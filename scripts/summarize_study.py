"""Gather a finished study: trials.csv, best.json, journal.log, summary.txt and the best model."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.study import Optimize
from nasmake.core.files import read_json, write_atomically, write_csv, write_json
from nasmake.core.provenance import provenance
from nasmake.jobs.cli import script
from nasmake.report.summary import best_of, front, suggestions_of, table, trial_columns, trial_rows


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="section `optimize` as JSON")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--results", required=True, type=Path, nargs="+", help="result.json of every trial")
    parser.add_argument("--finals", required=True, type=Path, nargs="+", help="final.json of every promoted trial")
    arguments = parser.parse_args(argv)
    from nasmake.study.journal import silence_optuna, write_journal

    optimize = Optimize.model_validate(json.loads(arguments.study))
    results = [read_json(path) for path in arguments.results]
    finals = {path.parent: read_json(path) for path in arguments.finals}
    suggested = suggestions_of(arguments.results)
    observed = [result | {"params": parameters} for result, parameters in zip(results, suggested, strict=True)]
    folder, best = best_of(finals)
    study = arguments.run / "study"
    rows, columns = trial_rows(results, suggested, list(finals.values())), trial_columns(optimize, results)
    write_csv(study / "trials.csv", rows, columns)
    notes = []
    if len(optimize.objectives) > 1:
        ahead = [result["trial"] for result in front(results, optimize.objectives)]
        write_csv(study / "front.csv", [row for trial in ahead for row in rows if row["trial"] == trial], columns)
        notes.append(f"front of {' and '.join(optimize.objectives)}: {len(ahead)} trials, {study}/front.csv")
    silence_optuna()
    write_journal(study / "journal.log", optimize, arguments.run.name, observed)
    write_atomically(arguments.run / "best" / "model.safetensors", (folder / "final.safetensors").read_bytes())
    write_atomically(study / "summary.txt", table(list(finals.values()), arguments.run, notes).encode())
    write_json(study / "best.json", best | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
