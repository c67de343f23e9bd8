"""Read the results of all trials, and write study/{trials.csv,best.json,summary.txt} and the best model."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.study import Optimize
from nasmake.core.files import read_json, write_atomically, write_csv, write_json
from nasmake.core.provenance import provenance
from nasmake.core.records import final_units, json_of, read_final, read_result, read_suggestion, trial_folder
from nasmake.jobs.cli import script
from nasmake.report.compute import compute_of, total_seconds
from nasmake.report.summary import (
    best_of,
    final_notes,
    front,
    interval_notes,
    outcome_notes,
    seed_notes,
    table,
    trial_columns,
    trial_rows,
)


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="section `optimize` as JSON")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--trials", required=True, type=int, help="number of trials")
    parser.add_argument("--val-images", default=0, type=int, help="number of val images; 0: not known")
    parser.add_argument("--seeds", default=1, type=int, help="number of final trainings of each promoted trial")
    arguments = parser.parse_args(argv)
    optimize = Optimize.from_json_text(arguments.study, "--study")
    study = arguments.run / "study"
    units = [arguments.run / trial_folder(trial) for trial in range(arguments.trials)]
    results = [read_result(unit / "result.json") for unit in units]
    params = [read_suggestion(unit / "suggestion.json").params for unit in units]
    promoted = [units[trial] for trial in read_json(study / "promoted.json")["trials"]]
    finals = {unit: read_final(unit / "final.json") for unit in promoted}
    val_n = arguments.val_images or None
    folders = {final.trial: final_units(str(unit), arguments.seeds) for unit, final in finals.items()}
    repeats = {trial: [read_final(Path(path, "final.json")) for path in paths] for trial, paths in folders.items()}
    folder, best = best_of(finals, results, val_n, repeats)
    rows, columns = trial_rows(results, params, list(finals.values()), val_n), trial_columns(optimize, results)
    write_csv(study / "trials.csv", rows, columns)
    notes = [*interval_notes(best), *seed_notes(repeats), *outcome_notes(results)]
    notes += final_notes(list(finals.values()), best)
    if len(optimize.objectives) > 1:
        numbers = [result.trial for result in front(results, optimize.objectives)]
        write_csv(study / "front.csv", [row for trial in numbers for row in rows if row["trial"] == trial], columns)
        notes.append(f"front of {' and '.join(optimize.objectives)}: {len(numbers)} trials, {study}/front.csv")
    write_atomically(arguments.run / "best" / "model.safetensors", (folder / "final.safetensors").read_bytes())
    write_atomically(study / "summary.txt", table(list(finals.values()), arguments.run, notes, val_n).encode())
    compute = compute_of(arguments.run, arguments.trials, arguments.seeds)
    facts = {"compute": compute, "seconds": total_seconds(compute)}  # of the study, not of this summary
    write_json(study / "best.json", json_of(best) | {"provenance": provenance(started) | facts})


if __name__ == "__main__":
    script(main)
