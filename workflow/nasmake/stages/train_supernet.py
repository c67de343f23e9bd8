"""Supernet training: every step trains the paths that a sampler draws, one after another, in the memory of one path.

The path samplers are in `nasmake.path_samplers`, the supernet is in `nasmake.models`. This module may import core,
config, data, costs, models, path_samplers, pipeline, jobs and the engine.
"""

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from nasmake.config import Config
from nasmake.core.files import write_csv, write_json
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.core.seeding import python_random
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine import schedules
from nasmake.engine.device import seed_torch
from nasmake.engine.distributed import BatchShare, add_gradients, rank_key, share_of_batch
from nasmake.engine.metrics import scores
from nasmake.engine.optimizers import build_optimizer, set_learning_rate
from nasmake.engine.stage_module import DivergedError, StageModule
from nasmake.engine.stage_run import Rows, StageRun, cost_table, stage
from nasmake.engine.weights import write_weights
from nasmake.jobs.job import Job
from nasmake.models.supernet import Supernet
from nasmake.path_samplers import PathSampler, make_path_sampler
from nasmake.pipeline.stages import SPLIT_KEYS
from nasmake.search_spaces import Decisions

STAGE = "train_supernet"
COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")


class SupernetTraining(StageModule):
    """Training of the shared weights: a step draws paths, averages their gradients, and updates the weights in use.

    Optimization is manual, because Lightning's automatic optimization has one backward pass per step.

    Attributes:
        stage: part of the seed key of all random draws.
    """

    stage = STAGE

    def __init__(self, supernet: Supernet, sampler: PathSampler, source: BatchSource, settings: Config) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.supernet, self.sampler, self.settings = supernet, sampler, settings
        self.source = source

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer of the shared weights."""
        return build_optimizer(self.settings.supernet, self.supernet.parameters())

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """Update the weights once, from all paths of this step on the same batch."""
        settings, epoch = self.settings.supernet, self.current_epoch
        seed_key = (self.settings.nas.seed, self.stage)
        seed_torch(self.device, *seed_key, "dropout", epoch, batch_idx, *rank_key())
        paths = self.sampler.draw(python_random(*seed_key, "paths", epoch, batch_idx))
        optimizer: Any = self.optimizers()
        # Weights that no path uses keep the gradient None, not zeros: neither momentum nor weight decay moves them.
        optimizer.zero_grad(set_to_none=True)
        metrics = self.accumulate_gradients(paths, share_of_batch(self.source, epoch, batch_idx))
        add_gradients(self.supernet.parameters())
        if settings.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), settings.gradient_clip)
        set_learning_rate(optimizer, self.learning_rate(epoch + batch_idx / len(self.source)))
        optimizer.step()
        return {"metrics": metrics}

    def accumulate_gradients(self, paths: Sequence[Decisions], part: BatchShare) -> dict[str, Tensor]:
        """Compute the mean gradient of the paths, one path at a time, so that one graph is in memory at once.

        With in-place distillation (arXiv 1903.05134) the output of the first path before the update is the target of
        the other paths. No gradient flows through this target. The first path is trained on smoothed labels.

        Args:
            paths: decision vectors.
            part: this rank's part of the batch.

        Returns:
            The sums of `metrics.scores` over all paths. The loss is the loss on the labels, also for paths with another
            target.
        """
        images, labels, share = part
        loss_on_labels = partial(cross_entropy, target=labels, label_smoothing=self.settings.supernet.label_smoothing)
        metrics: dict[str, Tensor] = {}
        soft_labels: Tensor | None = None
        for path in paths:
            self.supernet.set_active_subnet(path)
            logits = self.supernet(images)
            loss = loss_on_labels(logits) if soft_labels is None else cross_entropy(logits, soft_labels)
            self.manual_backward(loss / len(paths) * share)
            logits = logits.detach()
            metrics = scores(logits, labels, loss_on_labels(logits), metrics)
            if self.sampler.distils and soft_labels is None:
                soft_labels = logits.softmax(1)
        return metrics

    def epoch_summary(self) -> dict[str, float]:
        """Return the learning rate at the end of the epoch."""
        return {"lr": self.learning_rate(self.current_epoch + 1)}

    def learning_rate(self, epoch: float) -> float:
        """Return the learning rate at `epoch` (with a fraction)."""
        settings = self.settings.supernet
        return settings.lr * schedules.factor(settings, epoch, self.settings.nas.num_epochs_supernet_train)


def train_supernet(job: Job) -> None:
    """Run the stage: write supernet.safetensors, supernet.json and history/train_supernet.csv."""
    settings = job.settings
    with stage(job) as run:
        supernet, costs = new_supernet(run), cost_table(run)
        source = run.splits.training("train", settings.supernet.batch_size, STAGE)
        module = SupernetTraining(supernet, make_path_sampler(costs, settings.supernet), source, settings)
        try:
            rows, reason = run.fit(module, source, settings.nas.num_epochs_supernet_train), None
        except DivergedError as diverged:
            rows, reason = diverged.rows, f"{STAGE}: {diverged}"
        write_supernet(run, supernet, rows, reason)


def new_supernet(run: StageRun) -> Supernet:
    """Return a supernet of the job's search space with initial weights, on the CPU."""
    settings = run.job.settings
    seed_torch(torch.device("cpu"), settings.nas.seed, run.job.stage, "weights")
    sharing, classes = settings.supernet.weight_sharing, run.job.num_search_classes
    return run.runtime.lay_out(Supernet(run.space(), run.splits.in_channels, sharing, classes))


def write_supernet(run: StageRun, supernet: Supernet, rows: Rows, reason: str | None) -> None:
    """Write the artefacts of a supernet.

    Args:
        run: the stage.
        supernet: gives search space and number of parameters; the weights come from the last checkpoint.
        rows: one per epoch.
        reason: why training diverged, or its result is useless; the weights file is then empty. None if it ended well.
    """
    job, settings = run.job, run.job.settings
    outcome = {"state": COMPLETE} if reason is None else {"state": PRUNED, "reason": reason}
    weights, preprocessing = {} if reason else run.weights("supernet."), run.splits.preprocessing
    record = {
        "weights": write_weights(job.unit / "supernet.safetensors", weights, preprocessing),
        "search_space": {"name": supernet.space.name, "hash": supernet.space.hash},
        "settings": settings.supernet.model_dump(mode="json") | {"epochs": settings.nas.num_epochs_supernet_train},
        "parameters": sum(parameter.numel() for parameter in supernet.parameters()),
        "split": {key: attrgetter(key)(settings) for key in SPLIT_KEYS},
        "data": run.splits.manifest["sha256"],
        "preprocessing": preprocessing,
    }
    write_csv(job.history("train_supernet"), [{name: row[name] for name in COLUMNS} for row in rows], COLUMNS)
    write_json(job.unit / "supernet.json", record | outcome | {"provenance": job.provenance(run.runtime.name)})
