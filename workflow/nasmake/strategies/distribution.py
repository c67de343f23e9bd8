"""Strategies whose state is a distribution over each decision: candidates are drawn from it, their losses move it."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import log, prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nasmake.config import Search
from nasmake.cost import CostTable
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import TRIES, Evaluation, ProposingStrategy, Strategy

Probabilities = list[list[float]]


class Distribution(Strategy, ABC):
    """Independent probabilities of the options of every decision.

    A vector that breaks a limit is drawn again, up to 500 times, and then repaired: decisions are taken, in random
    order, from a cheapest network until the limits are kept. Vectors are as drawn, not canonical ones, and may repeat.
    """

    columns: ClassVar[tuple[str, ...]] = ("entropy", "max_probability")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        super().__init__(space, costs, settings)
        self.categories = [len(decision.choices) for decision in space.decisions]
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Go back to the distribution before the first update."""

    @abstractmethod
    def probabilities(self) -> Probabilities:
        """Of the options of every decision, as they are now."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that updates change, as numbers, lists and mappings of them."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()` of a strategy for the same space with the same settings."""

    def draw(self, rng: random.Random, count: int) -> list[Decisions]:
        """`count` vectors that keep the limits.

        Raises:
            InputError: no architecture keeps the limits.
        """
        probabilities = self.probabilities()
        return [self._draw_within_limits(rng, probabilities) for _ in range(count)]

    def mode(self) -> Decisions:
        """The most probable option of every decision, the first of equals; it may break a limit."""
        return tuple(own.index(max(own)) for own in self.probabilities())

    def mode_within_limits(self, rng: random.Random) -> Decisions:
        """The mode; if it breaks a limit, the most probable of 500 vectors that are drawn within the limits.

        Raises:
            InputError: no architecture keeps the limits.
        """
        mode = self.mode()
        return mode if self.keeps_limits(mode) else self.most_probable(self.draw(rng, TRIES))

    def state_diagnostics(self) -> dict[str, float]:
        """Entropy in nats and largest probability, both means over the decisions that have a choice."""
        searched = [own for own in self.probabilities() if len(own) > 1] or [[1.0]]
        entropies = [-sum(p * log(p) for p in own if p > 0) for own in searched]
        return {
            "entropy": sum(entropies) / len(searched),
            "max_probability": sum(map(max, searched)) / len(searched),
        }

    def most_probable(self, candidates: Sequence[Decisions]) -> Decisions:
        """That one of the vectors; of equals the last in lexical order."""
        probabilities = self.probabilities()
        return max(candidates, key=lambda vector: (_probability(vector, probabilities), vector))

    def _draw_within_limits(self, rng: random.Random, probabilities: Probabilities) -> Decisions:
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                drawn = tuple(rng.choices(range(len(own)), own)[0] for own in probabilities)
                candidate = self.repaired(rng, drawn, cheapest) if cheapest else drawn
                if self.keeps_limits(candidate):
                    return candidate
        raise self.no_architecture()


class DistributionStrategy(Distribution, ProposingStrategy):
    """Draws search.samples_per_update candidates, and moves its distribution when all of them are told.

    What is told is what was proposed, so the distribution learns from networks within the limits only, and repaired
    ones count as if drawn. An option that had no effect in a sample is told with the one it stood for.

    Where evaluations are told, the state is rebuilt from them, generation by generation. Generations that the object
    has learnt already are not learnt again.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self._learnt: list[list[Evaluation]] = []
        super().__init__(space, costs, settings)

    @property
    def generation_size(self) -> int:
        """Candidates between two updates."""
        return self.settings.samples_per_update

    @abstractmethod
    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one generation.

        Args:
            samples: [lam, D], indices of options. The last generation of a search may be short, down to one sample.
            losses: [lam], smaller is better; infinite where the network is broken.
        """

    def propose(self, rng: random.Random, told: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation; they, and those told before, may be the same networks."""
        self.learn(told)
        return self.draw(rng, self.generation_size)

    def conclusion(self, told: Sequence[Evaluation]) -> Decisions | None:
        """The mode of the distribution; if it breaks a limit, the most probable network told."""
        self.learn(told)
        mode = self.mode()
        return mode if self.keeps_limits(mode) else self.most_probable([evaluation.decisions for evaluation in told])

    def diagnostics(self, told: Sequence[Evaluation]) -> dict[str, float]:
        """Those of the distribution to which the evaluations lead."""
        self.learn(told)
        return self.state_diagnostics()

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


def _probability(vector: Decisions, probabilities: Probabilities) -> float:
    return prod(own[index] for index, own in zip(vector, probabilities, strict=True))
