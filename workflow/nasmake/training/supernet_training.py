"""Supernet training: single path one-shot (Guo et al., arXiv 1904.00420, section 3.2), one or several paths a step."""

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from nasmake.artifacts import write_csv, write_json
from nasmake.config import Config
from nasmake.data.batches import BatchSource
from nasmake.job import COMPLETE, PRUNED, Job
from nasmake.layers import channels_last
from nasmake.samplers import SAMPLERS
from nasmake.supernet import Supernet
from nasmake.training import schedules
from nasmake.training.classification import scores
from nasmake.training.optimizers import build_optimizer, set_learning_rate
from nasmake.training.run import stage, write_weights
from nasmake.training.seeding import python_random, seed_torch
from nasmake.training.state import DivergedError, StageModule

STAGE = "train_supernet"
COLUMNS = ("epoch", "train_loss", "train_accuracy", "lr")


class SupernetTraining(StageModule):
    """Each step draws paths, adds up their gradients, and updates what they touched.

    Manual optimization: Lightning's automatic one knows one backward pass per step.
    """

    def __init__(self, supernet: Supernet, source: BatchSource, settings: Config) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.supernet, self.settings = supernet, settings
        self.source = source
        self.sampler = SAMPLERS[settings.supernet.sampler]

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of the shared weights."""
        return build_optimizer(self.settings.supernet, self.supernet.parameters())

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """One update from `paths_per_step` paths over the same batch."""
        settings, epoch = self.settings.supernet, self.current_epoch
        where = (self.settings.nas.seed, STAGE)
        seed_torch(self.device, *where, "dropout", epoch, batch_idx)
        images, labels = self.source.batch(epoch, batch_idx)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad(set_to_none=True)  # what no path touches keeps None: neither momentum nor decay moves it
        metrics: dict[str, torch.Tensor] = {}
        rng = python_random(*where, "paths", epoch, batch_idx)
        for path in self.sampler(self.supernet.space, rng, settings.paths_per_step):
            self.supernet.set_active_subnet(path)
            logits = self.supernet(images)
            loss = cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
            self.manual_backward(loss / settings.paths_per_step)
            metrics = scores(logits.detach(), labels, loss.detach(), metrics)
        if settings.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), settings.gradient_clip)
        set_learning_rate(optimizer, self._rate(epoch + batch_idx / len(self.source)))
        optimizer.step()
        return {"metrics": metrics}

    def epoch_summary(self) -> dict[str, float]:
        """The learning rate at the end of the epoch."""
        return {"lr": self._rate(self.current_epoch + 1)}

    def _rate(self, epoch: float) -> float:
        settings = self.settings.supernet
        return settings.lr * schedules.factor(settings, epoch, self.settings.nas.num_epochs_supernet_train)


def train_supernet(job: Job) -> None:
    """Run the stage: supernet.safetensors, supernet.json, history/train_supernet.csv."""
    settings = job.settings
    with stage(job) as run:
        space = run.space()
        seed_torch(torch.device("cpu"), settings.nas.seed, STAGE, "weights")
        supernet = channels_last(Supernet(space, run.parts.in_channels, settings.supernet.weight_sharing))
        source = run.parts.training("train", settings.supernet.batch_size, STAGE)
        record: dict[str, Any] = {
            "search_space": {"name": space.name, "hash": space.hash},
            "settings": settings.supernet.model_dump(mode="json") | {"epochs": settings.nas.num_epochs_supernet_train},
            "state": COMPLETE,
        }
        try:
            rows = run.fit(SupernetTraining(supernet, source, settings), source, settings.nas.num_epochs_supernet_train)
            weights = run.weights("supernet.")
        except DivergedError as diverged:
            rows, weights = diverged.rows, {}
            record |= {"state": PRUNED, "reason": f"{STAGE}: {diverged}"}
        record["parameters"] = sum(parameter.numel() for parameter in supernet.parameters())
        write_csv(job.history(STAGE), rows, COLUMNS)
        write_weights(job.unit / "supernet.safetensors", weights)
        write_json(job.unit / "supernet.json", record | {"provenance": job.provenance(run.runtime.name)})
