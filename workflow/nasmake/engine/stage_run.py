"""The frame of a stage: device, data, search space, and the training state that is held while it runs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from nasmake.core.errors import InputError
from nasmake.core.process import loader_workers, rank
from nasmake.costs.latency_table import read_latency
from nasmake.costs.table import CostTable
from nasmake.engine.checkpoint import final_weights
from nasmake.engine.device import Runtime, start
from nasmake.engine.distributed import join
from nasmake.engine.lightning import tensorboard
from nasmake.engine.resume import ResumeFolder, resume_folder
from nasmake.engine.splits import Splits
from nasmake.engine.stage_module import StageModule
from nasmake.engine.trainer import fit
from nasmake.jobs.job import Job
from nasmake.pipeline.stages import OUTPUTS
from nasmake.search_spaces import SearchSpace

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class StageRun:
    """A stage under way."""

    job: Job
    runtime: Runtime
    splits: Splits
    folder: ResumeFolder

    def space(self) -> SearchSpace:
        """The job's search space.

        Raises:
            InputError: it is made for another number of classes than the data set has.
        """
        space = self.job.space()
        classes = len(self.splits.manifest["classes"])
        if space.num_classes != classes:
            raise InputError(
                f"nas.search_space: {space.name} has settings.class_num {space.num_classes}, "
                f"but data set {self.splits.manifest['name']} has {classes} classes; choose its space file"
            )
        return space

    def fit(self, module: StageModule, source: Iterable[int], epochs: int, **options: Any) -> Rows:
        """Train, from where an earlier process of this stage stopped; see `fit`."""
        frame: dict[str, Any] = {"runtime": self.runtime, "folder": self.folder, "display": self.job.display}
        if "tensorboard" in self.job.display and rank() == 0:
            frame["logger"] = tensorboard(self.job.unit / "tensorboard", options.get("name", self.job.stage))
        return fit(module, source, epochs, settings=self.job.settings.trainer, **frame, **options)

    def weights(self, prefix: str) -> dict[str, torch.Tensor]:
        """The trained weights below `prefix` of the module, without it."""
        weights = final_weights(self.folder.checkpoint)
        return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def cost_table(run: StageRun) -> CostTable:
    """Costs of the networks of the job's search space for its images; latency too where the job has its table."""
    space, table = run.space(), run.job.inputs.get("latency")
    shape = (run.splits.in_channels, run.splits.input_size)
    return CostTable(space, *shape, read_latency(table, space, *shape) if table else None)


@contextmanager
def stage(job: Job, *others: str) -> Iterator[StageRun]:
    """Set a stage up and hold its training state; `others` are the artefacts of a job that is no stage of a trial."""
    runtime = start(job.accelerator, job.settings.trainer.num_threads)
    test = job.inputs.get("test")
    splits = Splits.open(job.dataset, job.settings, runtime.device, test and test.parent, loader_workers())
    join(runtime.device)
    outputs = [job.unit / name for name in others or OUTPUTS[job.stage]]
    with resume_folder(job.unit, job.stage, job.fingerprint(runtime.device.type), outputs) as folder:
        yield StageRun(job, runtime, splits, folder)
