"""Scores of networks that inherit their weights from a trained supernet.

This module may import core, data, models, strategies and the engine.
"""

import math
from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

from nasmake.core.records import AT_CHANCE
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.metrics import evaluate
from nasmake.engine.stage_module import PrunedError
from nasmake.engine.stage_run import Rows, StageRun
from nasmake.models.batchnorm import fold_batchnorm, recalibrate_batchnorm
from nasmake.models.network import Network
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions
from nasmake.strategies import Evaluation
from nasmake.strategies.distribution import Distribution

LEVEL = 0.05  # probability that a supernet at chance is taken for a better one


def inherited_network(
    supernet: Supernet, decisions: Decisions, recalibration: Iterable[Tensor], lay_out: Callable[[Network], Network]
) -> Network:
    """Return a network with copies of the supernet's weights, recalibrated and folded: it can only be evaluated.

    Args:
        supernet: gives the weights; its active subnet changes.
        decisions: canonical vector of the network.
        recalibration: batches of train images, [N, C, H, W] each.
        lay_out: gives a network the memory format of the images.
    """
    supernet.set_active_subnet(decisions)
    network = lay_out(supernet.get_active_subnet())
    recalibrate_batchnorm(network, recalibration)
    fold_batchnorm(network)
    return network


class InheritedEvaluator:
    """Evaluates networks with the weights of a supernet, which stay unchanged.

    The BatchNorm statistics are computed anew for each network from train images (arXiv 1904.00420, section 3.4). The
    statistics in the supernet are a mixture over all trained paths and fit none of them.

    Attributes:
        supernet: on the stage's device.
        val: all val images, in order.
        recalibration: batches of train images, [N, C, H, W] each, for the statistics.
    """

    def __init__(self, run: StageRun, supernet: Supernet) -> None:
        settings = run.job.settings.search
        self.supernet, self.lay_out = supernet, run.runtime.lay_out
        self.val = run.splits.evaluation("val", settings.batch_size)
        source = run.splits.recalibration(settings.batch_size, run.job.stage, settings.recalibration_images)
        self.recalibration = [source.batch(0, step)[0] for step in source]

    def __call__(self, decisions: Decisions) -> tuple[float, float]:
        """Return val loss and val accuracy (0..1) of a canonical vector, after recalibration."""
        return evaluate(inherited_network(self.supernet, decisions, self.recalibration, self.lay_out), self.val)

    def uncalibrated(self, decisions: Decisions) -> tuple[float, float]:
        """Return val loss and val accuracy (0..1) with the BatchNorm statistics of the supernet."""
        self.supernet.set_active_subnet(decisions)
        return evaluate(self.lay_out(self.supernet.get_active_subnet()), self.val)

    def check_above_chance(self, evaluations: Collection[Evaluation], rows: Rows) -> None:
        """Check that the best of the evaluated networks is better than guessing.

        Args:
            evaluations: with the present weights.
            rows: of the history, for the error.

        Raises:
            PrunedError: it is not; see `loss_of_guessing`.
        """
        best = min(evaluation.val_loss for evaluation in evaluations)
        if best >= (limit := loss_of_guessing(self.val.labels, len(evaluations))):
            raise PrunedError(
                f"{AT_CHANCE}: best val loss of {len(evaluations)} networks is {best:.4f}; expected less than "
                f"{limit:.4f}, which guessing may reach; train the supernet longer, or lower supernet.lr or "
                "supernet.weight_decay; search.prune_at_chance: false goes on all the same",
                rows,
            )

    def evaluations_worth(self, strategy: Distribution, updates: int, batches: BatchSource) -> int:
        """Convert updates of a distribution into the number of evaluations with the same compute cost.

        The cost is measured in images that pass through a network. An evaluation takes all val images and those for
        recalibration.

        Args:
            strategy: owns the distribution.
            updates: number of updates.
            batches: each update uses one of them.
        """
        images = updates * strategy.passes_per_update * len(batches.batch(0, 0)[1])
        return round(images / (len(self.val.labels) + sum(len(batch) for batch in self.recalibration)))


def loss_of_guessing(labels: Tensor, networks: int) -> float:
    """Return the loss that the best of some networks hardly ever falls below if none of them knows more than chance.

    The best guess predicts the frequencies of the classes. Its loss is their entropy: ln K for K equally frequent ones.
    exp(N (entropy - loss)) is the likelihood ratio of a network to this guess. If labels do not depend on images, its
    mean is 1, so it reaches 1 / p with a probability of at most p (Markov's inequality). The probabilities of several
    networks add up (Bonferroni); `LEVEL` bounds their sum.

    Args:
        labels: int64 [N].
        networks: number of networks.
    """
    frequencies = torch.bincount(labels.cpu()).double() / len(labels)
    entropy: float = torch.special.entr(frequencies).sum().item()
    return entropy - math.log(networks / LEVEL) / len(labels)
