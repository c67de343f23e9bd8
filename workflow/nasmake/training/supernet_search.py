"""Supernet training and architecture search at the same time: weight steps and steps of the distribution in turn.

ASNG-NAS (arXiv 1905.08537, algorithm 2), ProxylessNAS (arXiv 1812.00332, section 3.2.1) and its REINFORCE variant
(section 3.3.2). Weights learn from train, the distribution from single batches of val.
"""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nasmake.config import Config
from nasmake.data.batches import BatchSource
from nasmake.samplers import Asng, Sampler
from nasmake.strategies.base import Evaluation
from nasmake.strategies.distribution import Distribution, DistributionStrategy
from nasmake.supernet import Supernet, batch_statistics
from nasmake.training.classification import scores
from nasmake.training.scoring import Scorer
from nasmake.training.seeding import python_random
from nasmake.training.supernet_training import SupernetTraining

STAGE = "search_supernet"


class SupernetSearch(SupernetTraining):
    """Alternates weight steps and steps of the distribution, after search.warmup_ratio of the epochs.

    At the end of each of these epochs the mode of the distribution is evaluated as in a search of its own: it is what
    the search would find now. Scores of different epochs are those of different weights.

    Attributes:
        evaluations: of the modes, epoch by epoch.
    """

    stage = STAGE

    def __init__(
        self,
        supernet: Supernet,
        sampler: Sampler,
        source: BatchSource,
        settings: Config,
        strategy: Distribution,
        val: BatchSource,
        scorer: Scorer,
    ) -> None:
        super().__init__(supernet, sampler, source, settings)
        if isinstance(sampler, Asng):
            sampler.distribution = strategy
        self.strategy, self.val, self.scorer = strategy, val, scorer
        self.evaluations: list[Evaluation] = []
        self.warmup = int(settings.search.warmup_ratio * settings.nas.num_epochs_supernet_train)

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """A weight step and, where one is due, a step of the distribution."""
        outputs = super().training_step(step, batch_idx)
        place = (self.current_epoch - self.warmup) * len(self.source) + batch_idx
        if place < 0 or (place + 1) % self.settings.search.update_interval:
            return outputs
        update = place // self.settings.search.update_interval
        batch = self.val.batch(*divmod(update, len(self.val)))
        rng = python_random(self.settings.nas.seed, STAGE, "update", update)
        return outputs | {"val_metrics": distribution_step(self.supernet, self.strategy, *batch, rng)}

    def epoch_summary(self) -> dict[str, float]:
        """The learning rate, how the distribution is doing, and the evaluation of its mode."""
        summary = super().epoch_summary() | self.strategy.state_diagnostics()
        if self.current_epoch < self.warmup:
            return summary
        rng = python_random(self.settings.nas.seed, STAGE, "mode", self.current_epoch)
        mode = self.strategy.space.canonical(self.strategy.mode_within_limits(rng))
        loss, accuracy = self.scorer(mode)
        self.evaluations.append(Evaluation(loss, mode, accuracy, self.current_epoch))
        costs = {f"best_{metric}": cost for metric, cost in self.strategy.costs.of(mode).items()}
        return summary | {"evaluated": 1, "best_val_loss": loss, "best_val_accuracy": accuracy} | costs

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the distribution in, and the evaluations as plain lists."""
        checkpoint["distribution"] = self.strategy.state_dict()
        checkpoint["evaluations"] = [list(evaluation) for evaluation in self.evaluations]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.strategy.load_state_dict(checkpoint["distribution"])
        for loss, decisions, *rest in checkpoint["evaluations"]:
            self.evaluations.append(Evaluation(loss, tuple(decisions), *rest))


def distribution_step(
    supernet: Supernet, strategy: Distribution, images: Tensor, labels: Tensor, rng: random.Random
) -> dict[str, Tensor]:
    """Move the distribution by what one batch of val says of the networks that are drawn from it.

    Returns:
        Sums over all networks and images, see `scores`.
    """
    assert isinstance(strategy, DistributionStrategy)
    candidates = strategy.draw(rng, strategy.generation_size)
    metrics: dict[str, Tensor] = {}
    losses = []
    with batch_statistics(supernet), torch.no_grad():
        for candidate in candidates:
            supernet.set_active_subnet(candidate)
            logits = supernet(images)
            losses.append(cross_entropy(logits.float(), labels))
            metrics = scores(logits, labels, losses[-1], metrics)
    strategy.update(np.array(candidates), torch.stack(losses).double().cpu().numpy())
    return metrics
