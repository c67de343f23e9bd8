"""The course of a search by gates: steps on single batches of val, and at the end of every epoch one evaluation."""

from typing import Any

from nasmake.data.batches import BatchSource
from nasmake.strategies.base import Evaluation
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.progress import Course
from nasmake.strategies.proxyless_search import ProxylessSearch
from nasmake.training.gates import gate_step
from nasmake.training.inherited import InheritedScores
from nasmake.training.seeding import python_random


class GateSearch(Course):
    """Moves the distribution with every place of an epoch but the last, which evaluates its mode as a candidate.

    Args:
        strategy: the distribution.
        where: the place of all random draws, such as (seed, "search_architecture").
        epoch_places: places of an epoch, two or more.
        inherited: scores with the weights of the supernet, which stay as they are.
        batches: shuffled ones of val; the steps take them in turn, in a new order each time round.
    """

    def __init__(
        self,
        strategy: ProxylessSearch,
        where: tuple[int | str, ...],
        epoch_places: int,
        inherited: InheritedScores,
        batches: BatchSource,
    ) -> None:
        super().__init__(strategy, inherited)
        self.distribution, self.where, self.epoch_places = strategy, where, epoch_places
        self.supernet, self.batches = inherited.supernet, batches
        self.by_epoch: list[Probabilities] = []

    def step(self, place: int) -> tuple[float, float] | None:
        """Mean loss and accuracy over the batch of a step on the architecture; None at the end of an epoch."""
        epoch, index = divmod(place, self.epoch_places)
        rng = python_random(*self.where, place)
        if index + 1 == self.epoch_places:
            self.evaluate(self.distribution.mode_within_limits(rng), epoch)
            self.by_epoch.append(self.distribution.probabilities())
            return None
        batch = self.batches.batch(*divmod(place - epoch, len(self.batches)))
        sums = {name: value.item() for name, value in gate_step(self.supernet, self.distribution, *batch, rng).items()}
        return sums["loss"] / sums["count"], sums["accuracy"] / sums["count"]

    def conclusion(self) -> Evaluation | None:
        """That of the last mode."""
        return self.evaluations[self.strategy.space.canonical(self.told[-1].decisions)]

    def diagnostics(self, places: int) -> dict[str, float]:
        """Those of the distribution as it is now."""
        return self.distribution.state_diagnostics()

    def probabilities(self, places: int) -> Probabilities:
        """As they were after so many places."""
        return self.by_epoch[places // self.epoch_places - 1]

    def state_dict(self) -> dict[str, Any]:
        """The distribution now, and its probabilities at the end of every epoch."""
        return {"distribution": self.distribution.state_dict(), "by_epoch": self.by_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.distribution.load_state_dict(state["distribution"])
        self.by_epoch = state["by_epoch"]
