"""The course of a search by gates: steps on single batches of val, and at the end of every epoch one evaluation."""

from typing import Any

from nasmake.data.batches import BatchSource
from nasmake.strategies.base import Evaluation
from nasmake.strategies.progress import Course, Score
from nasmake.strategies.proxyless_search import ProxylessSearch
from nasmake.supernet import Supernet
from nasmake.training.gates import gate_step
from nasmake.training.seeding import python_random


class GateSearch(Course):
    """Moves the distribution with every place of an epoch but the last, which evaluates its mode as a candidate.

    Args:
        strategy: the distribution.
        where: the place of all random draws, such as (seed, "search_architecture").
        epoch_places: places of an epoch, two or more.
        supernet: with trained weights, which stay as they are.
        batches: shuffled ones of val; the steps take them in turn, in a new order each time round.
        score: evaluates a network.
    """

    def __init__(
        self,
        strategy: ProxylessSearch,
        where: tuple[int | str, ...],
        epoch_places: int,
        supernet: Supernet,
        batches: BatchSource,
        score: Score,
    ) -> None:
        super().__init__(strategy, score)
        self.distribution, self.where, self.epoch_places = strategy, where, epoch_places
        self.supernet, self.batches = supernet, batches

    def step(self, place: int) -> tuple[float, float] | None:
        """Mean loss and accuracy over the batch of a step on the architecture; None at the end of an epoch."""
        epoch, index = divmod(place, self.epoch_places)
        rng = python_random(*self.where, place)
        if index + 1 == self.epoch_places:
            self.evaluate(self.distribution.mode_within_limits(rng), epoch)
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

    def state_dict(self) -> dict[str, Any]:
        """That of the distribution."""
        return self.distribution.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.distribution.load_state_dict(state)
