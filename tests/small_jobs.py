"""Jobs of the stages on digits, small enough for tests."""

import os
import signal
from copy import deepcopy
from pathlib import Path
from typing import Any

from nasmake.config import load
from nasmake.core.files import read_json
from nasmake.core.nested import assign
from nasmake.core.provenance import without_provenance
from nasmake.jobs.job import Job
from nasmake.pipeline.finished import forget_finished
from nasmake.pipeline.stages import STAGES, settings_of
from small_spaces import content

SPACE = {"name": "proxyless_digits", "content": content("proxyless_digits")}
TINY: dict[str, Any] = {
    "run": "tiny",
    "dataset": {"name": "digits", "num_data_architecture_search": 600},
    "nas": {"num_epochs_supernet_train": 2, "num_epochs_architecture_search": 2, "num_epochs_retrain": 2},
    "supernet": {"batch_size": 150},
    "search": {"population_size": 3, "recalibration_images": 200, "prune_at_chance": False},
    "retrain": {"hyperparameters": {"batch_size": 100}, "warmup_epochs": 1},
    "optimize": {"trial_number": 1},
}
SEARCHING = ("train_supernet", "search_architecture", "search_supernet")
# The cheapest network of the space: what a test trains when any network will do.
CHEAPEST = {"decisions": [0, 0, 0, 0, 0, 0]}


def settings(stage: str, **changes: Any) -> dict[str, Any]:
    """What Snakemake tells a stage; `changes` are keys with `__` for the dot."""
    raw = deepcopy(TINY)
    for key, value in changes.items():
        assign(raw, key.replace("__", "."), value)
    return settings_of(STAGES[stage], load(raw))


def make_job(stage: str, unit: Path, dataset: Path, **changes: Any) -> Job:
    """A job of `unit` whose inputs are the artefacts of the stages before in the same folder.

    As in a study, the controller has noted the end of every earlier job, so nothing that such a job kept is left.
    """
    forget_finished(unit.parent)
    return Job(
        stage=stage,
        received=settings(stage, **changes),
        search_space=SPACE if stage in SEARCHING else None,
        version=STAGES[stage].version,
        dataset=dataset,
        inputs={name: unit / file for name, file in STAGES[stage].takes.items()},
        trial=0,
        unit=unit,
        accelerator="cpu",
        display="lines",
    )


def outputs_of(stage: str) -> tuple[str, ...]:
    """The artefacts of a stage, relative to the folder of its unit."""
    return tuple(STAGES[stage].outputs.values())


def artefacts(unit: Path) -> dict[str, Any]:
    """Everything that must be the same in two runs: bytes of weights and histories, JSON without provenance."""
    content_of: dict[str, Any] = {}
    for path in sorted(unit.rglob("*")):
        if ".resume" in path.parts:
            continue
        if path.suffix == ".json":
            content_of[str(path.relative_to(unit))] = without_provenance(read_json(path))
        elif path.is_file():
            content_of[str(path.relative_to(unit))] = path.read_bytes()
    return content_of


def dying_at(original, number):
    """Return a replacement for a training_step that sends this process SIGTERM before the call number `number`."""
    calls = iter(range(10**6))

    def training_step(self, step, batch_idx):
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, step, batch_idx)

    return training_step
