"""The frame in which a stage runs: device, data, search space, and the training state that is held meanwhile.

This module may import core, search_spaces, costs, pipeline, jobs and the other modules of the engine.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from nasmake.core.errors import InputError
from nasmake.core.process import loader_workers, rank
from nasmake.costs.latency_table import read_latency
from nasmake.costs.own_costs import check_operations
from nasmake.costs.table import CostTable
from nasmake.costs.units import units_of_space
from nasmake.data.pointer import read_pointer
from nasmake.engine.checkpoint import final_weights
from nasmake.engine.device import Runtime, start
from nasmake.engine.distributed import join
from nasmake.engine.lightning import tensorboard
from nasmake.engine.resume import ResumeFolder, resume_folder
from nasmake.engine.splits import Splits
from nasmake.engine.stage_module import StageModule
from nasmake.engine.trainer import fit
from nasmake.jobs.job import Job
from nasmake.pipeline.stages import STAGES
from nasmake.search_spaces import SearchSpace

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class StageRun:
    """A stage that runs: its job, its device, its data, and the folder of its training state."""

    job: Job
    runtime: Runtime
    splits: Splits
    folder: ResumeFolder

    def space(self) -> SearchSpace:
        """Return the job's search space.

        Raises:
            InputError: the data set has another number of classes than the search space.
        """
        space = self.job.space()
        classes = len(self.splits.manifest["classes"])
        if space.num_classes != classes:
            raise InputError(
                f"nas.search_space: {space.name}: settings.class_num is {space.num_classes}; expected {classes}, the "
                f"number of classes of data set {self.splits.manifest['name']}; choose the space file of this data set"
            )
        return space

    def fit(self, module: StageModule, source: Iterable[int], epochs: int, **options: Any) -> Rows:
        """Train `module` from where an earlier process of this stage stopped, and return one row per epoch.

        Args:
            module: reads its batches itself.
            source: the steps of an epoch.
            epochs: length of the training.
            options: name, val_source and gradient_clip of `trainer.fit`.
        """
        display = frozenset(self.job.display.split("+"))
        logger = None
        if "tensorboard" in display and rank() == 0:
            logger = tensorboard(self.job.unit / "tensorboard", options.get("name", self.job.stage))
        options |= {"runtime": self.runtime, "folder": self.folder, "display": display, "logger": logger}
        return fit(module, source, epochs, settings=self.job.settings.trainer, **options)

    def weights(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return the trained weights whose names start with `prefix`, without the prefix."""
        weights = final_weights(self.folder.checkpoint)
        return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def cost_table(run: StageRun) -> CostTable:
    """Return the costs of the search space's networks for the data set's images; with latency if the job has a table.

    Every shape of every operation that a user wrote is tried, so that its errors come before the training.

    Raises:
        InputError: the latency table does not fit the search space or the images, or the code of an operation fails.
    """
    space, table = run.space(), run.job.inputs.get("latency")
    shape = (run.splits.in_channels, run.splits.input_size)
    if space.own_operations:
        check_operations(units_of_space(space, *shape).values())
    return CostTable(space, *shape, read_latency(table, space, *shape) if table else None)


@contextmanager
def stage(job: Job, *outputs: str) -> Iterator[StageRun]:
    """Set up the stage of a job, and hold its training state until the block ends.

    Args:
        job: what to run.
        outputs: names of the artefacts, for a job that is not a stage of a trial.

    Raises:
        InputError: the hardware or the data set is missing.
        AlreadyDoneError: another process has finished this stage while this process waited for it.
    """
    runtime = start(job.accelerator, job.settings.trainer.num_threads, job.settings.trainer.precision)
    test = job.inputs.get("test")
    splits = Splits.open(
        job.dataset,
        job.settings,
        runtime.device,
        test=test and read_pointer(test),
        num_search_classes=job.num_search_classes,
        workers=loader_workers(),
        memory_format=runtime.memory_format,
    )
    join(runtime.device)
    artefacts = [job.unit / name for name in outputs or STAGES[job.stage].outputs.values()]
    with resume_folder(job.unit, job.stage, job.fingerprint(runtime.device.type), artefacts) as folder:
        yield StageRun(job, runtime, splits, folder)
