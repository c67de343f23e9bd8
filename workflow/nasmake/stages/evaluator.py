"""Scores of networks with the weights of a supernet that has been trained."""

from typing import TYPE_CHECKING

from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.metrics import evaluate
from nasmake.models.batchnorm import recalibrate_batchnorm
from nasmake.models.layers import channels_last
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions
from nasmake.strategies.distribution import Distribution

if TYPE_CHECKING:
    from nasmake.engine.stage_run import StageRun


class InheritedEvaluator:
    """Val loss and accuracy (0..1) of a network, by its canonical vector; the supernet stays as it is.

    BatchNorm statistics are made anew for each network from train images (arXiv 1904.00420, section 3.4): those that
    the paths left in the supernet fit none of them.

    Args:
        run: the stage that asks; its search.batch_size and search.recalibration_images count.
        supernet: on the stage's device.
    """

    def __init__(self, run: "StageRun", supernet: Supernet) -> None:
        settings = run.job.settings.search
        self.supernet = supernet
        self.val = run.splits.evaluation("val", settings.batch_size)
        source = run.splits.shuffled("train", settings.batch_size, run.job.stage)
        steps = range(min(len(source), -(-settings.recalibration_images // source.batch_size)))
        self.recalibration = [source.batch(0, step)[0] for step in steps]

    @property
    def images(self) -> int:
        """Images that go through a network for one score."""
        return len(self.val.labels) + sum(len(batch) for batch in self.recalibration)

    def evaluations_worth(self, strategy: Distribution, updates: int, batches: BatchSource) -> int:
        """How many evaluations cost what so many updates of a distribution do, by images through a network."""
        images = updates * strategy.passes_per_update * len(batches.batch(0, 0)[1])
        return round(images / self.images)

    def __call__(self, decisions: Decisions) -> tuple[float, float]:
        """After recalibration."""
        self.supernet.set_active_subnet(decisions)
        subnet = channels_last(self.supernet.get_active_subnet())
        recalibrate_batchnorm(subnet, self.recalibration)
        return evaluate(subnet, self.val)

    def uncalibrated(self, decisions: Decisions) -> tuple[float, float]:
        """With the statistics that training left."""
        self.supernet.set_active_subnet(decisions)
        return evaluate(channels_last(self.supernet.get_active_subnet()), self.val)
