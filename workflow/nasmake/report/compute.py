"""The compute that a study used, by stage and device, from the provenance of its artefacts. It imports core only.

Each artefact knows the process that wrote it. Earlier attempts of a job, which were killed, are not counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.files import read_json
from nasmake.core.provenance import PROVENANCE
from nasmake.core.records import SHARED, final_units, trial_folder

RECORDS = ("supernet.json", "architecture.json", "latency.json", "result.json", "final.json")
NOT_ON_GPU = ("CPU", "unknown")


def compute_of(run: Path, trials: int, seeds: int) -> list[dict[str, Any]]:
    """Return the compute of a finished run: one row for each stage and device, in the order of the stages.

    Args:
        run: folder of the run.
        trials: number of trials.
        seeds: number of final trainings of each promoted trial.

    Returns:
        Rows with `stage`, `device`, `jobs`, and sums over these jobs: `seconds` of wall time, `cpu_seconds` of the main
        processes, and `gpu_seconds`, which is wall time by number of GPUs.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for block in _blocks(run, trials, seeds):
        stage, device = block["stage"], block["device"] or "unknown"
        empty = {"stage": stage, "device": device, "jobs": 0, "seconds": 0.0, "cpu_seconds": 0.0, "gpu_seconds": 0.0}
        row = rows.setdefault((stage, device), empty)
        gpus = 0 if device in NOT_ON_GPU else block["processes"]
        row["jobs"] += 1
        for name, seconds in (("seconds", 1), ("gpu_seconds", gpus)):
            row[name] = round(row[name] + seconds * block["seconds"], 3)
        row["cpu_seconds"] = round(row["cpu_seconds"] + block["cpu_seconds"], 3)
    return list(rows.values())


def total_seconds(compute: Sequence[Mapping[str, Any]]) -> float:
    """Return the wall time of all jobs, one after another, in seconds."""
    return float(round(sum(row["seconds"] for row in compute), 3))


def _blocks(run: Path, trials: int, seeds: int) -> Iterator[dict[str, Any]]:
    """Yield the provenance of every job of a stage; jobs of earlier versions have no stage there."""
    units = [SHARED, *(unit for trial in range(trials) for unit in final_units(trial_folder(trial), seeds))]
    for record in RECORDS:
        for unit in units:
            path = run / unit / record
            block = read_json(path).get(PROVENANCE, {}) if path.is_file() else {}
            if block.get("stage") and not (record == "architecture.json" and block["stage"] == "search_supernet"):
                yield block  # search_supernet also writes supernet.json
