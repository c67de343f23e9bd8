"""Strategies whose state is a distribution over each decision: candidates are drawn from it, their losses move it."""

import random
from abc import abstractmethod
from collections.abc import Sequence
from itertools import groupby
from math import prod

import numpy as np
from numpy.typing import NDArray

from nasmake.config import Search
from nasmake.cost import CostTable
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import TRIES, Evaluation, Strategy
from nasmake.strategies.probabilities import Probabilities


class DistributionStrategy(Strategy):
    """Draws search.samples_per_update candidates, and moves its distribution when all of them are told.

    A vector that breaks a limit is drawn again, up to 500 times, and then repaired: decisions are taken, in random
    order, from a cheapest network until the limits are kept. What is told is what was proposed, so the distribution
    learns from networks within the limits only, and repaired ones count as if drawn. Candidates are vectors as drawn,
    not canonical ones: an option that had no effect in a sample is told with the one it stood for. They may repeat.

    The state is rebuilt from the evaluations told, generation by generation. Generations that the object has learnt
    already are not learnt again.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        super().__init__(space, costs, settings)
        self.categories = [len(decision.choices) for decision in space.decisions]
        self._learnt: list[list[Evaluation]] = []
        self.reset()

    @property
    def generation_size(self) -> int:
        """Candidates between two updates."""
        return self.settings.samples_per_update

    @abstractmethod
    def reset(self) -> None:
        """Go back to the distribution before the first update."""

    @abstractmethod
    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one generation.

        Args:
            samples: [lam, D], indices of options. The last generation of a search may be short, down to one sample.
            losses: [lam], smaller is better; infinite where the network is broken.
        """

    @abstractmethod
    def probabilities(self) -> Probabilities:
        """Of the options of every decision, as they are now."""

    def propose(self, rng: random.Random, told: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation; they, and those told before, may be the same networks."""
        self.learn(told)
        probabilities = self.probabilities()
        return [self._draw_within_limits(rng, probabilities) for _ in range(self.generation_size)]

    def conclusion(self, told: Sequence[Evaluation]) -> Decisions | None:
        """The mode of the distribution; if it breaks a limit, the most probable network told."""
        self.learn(told)
        probabilities = self.probabilities()
        mode = tuple(own.index(max(own)) for own in probabilities)
        if self.keeps_limits(mode):
            return mode
        return max(
            (evaluation.decisions for evaluation in told),
            key=lambda vector: (_probability(vector, probabilities), vector),
        )

    def probabilities_after(self, told: Sequence[Evaluation]) -> Probabilities:
        """Those to which the evaluations lead."""
        self.learn(told)
        return self.probabilities()

    def learn(self, told: Sequence[Evaluation]) -> None:
        """Bring the distribution to where these evaluations, in generations one after the other, lead."""
        generations = [list(own) for _, own in groupby(told, key=lambda evaluation: evaluation.generation)]
        if generations[: len(self._learnt)] != self._learnt:
            self.reset()
            self._learnt = []
        for own in generations[len(self._learnt) :]:
            samples = np.array([evaluation.decisions for evaluation in own])
            self.update(samples, np.array([evaluation.val_loss for evaluation in own]))
            self._learnt.append(own)

    def _draw_within_limits(self, rng: random.Random, probabilities: Probabilities) -> Decisions:
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                drawn = tuple(rng.choices(range(len(own)), own)[0] for own in probabilities)
                candidate = self.repaired(rng, drawn, cheapest) if cheapest else drawn
                if self.keeps_limits(candidate):
                    return candidate
        raise self.no_architecture()


def _probability(vector: Decisions, probabilities: Probabilities) -> float:
    return prod(own[index] for index, own in zip(vector, probabilities, strict=True))
