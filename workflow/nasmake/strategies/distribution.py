"""Strategies whose state is a distribution over each decision: candidates are drawn from it, their losses move it."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import TRIES, Evaluation, ProposingStrategy, Strategy
from nasmake.strategies.probabilities import Probabilities, concentration


class Distribution(Strategy, ABC):
    """Independent probabilities of the options of every decision.

    A vector that breaks a limit is drawn again, up to 500 times, and then repaired: decisions are taken, in random
    order, from a cheapest network until the limits are kept. Vectors are as drawn, not canonical ones, and may repeat.
    """

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

    @property
    @abstractmethod
    def passes_per_update(self) -> int:
        """Forward passes of a network that an update is worth; a backward pass counts as two."""

    def draw(self, rng: random.Random, count: int) -> list[Decisions]:
        """`count` vectors that keep the limits.

        Raises:
            InputError: no architecture keeps the limits.
        """
        probabilities = self.probabilities()
        return [self._draw_feasible(rng, probabilities) for _ in range(count)]

    def mode(self) -> Decisions:
        """The most probable option of every decision, the first of equals; it may break a limit."""
        return tuple(own.index(max(own)) for own in self.probabilities())

    def feasible_mode(self, rng: random.Random) -> Decisions:
        """The mode; if it breaks a limit, the most probable of 500 vectors that are drawn within the limits.

        Raises:
            InputError: no architecture keeps the limits.
        """
        mode = self.mode()
        return mode if self.is_feasible(mode) else self.most_probable(self.draw(rng, TRIES))

    def state_diagnostics(self) -> dict[str, float]:
        """How far it has concentrated."""
        return concentration(self.probabilities())

    def most_probable(self, candidates: Sequence[Decisions]) -> Decisions:
        """That one of the vectors; of equals the last in lexical order."""
        probabilities = self.probabilities()
        return max(candidates, key=lambda vector: (_probability(vector, probabilities), vector))

    def _draw_feasible(self, rng: random.Random, probabilities: Probabilities) -> Decisions:
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                drawn = tuple(rng.choices(range(len(own)), own)[0] for own in probabilities)
                candidate = self.repaired(rng, drawn, cheapest) if cheapest else drawn
                if self.is_feasible(candidate):
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

    @property
    def passes_per_update(self) -> int:
        """One for each candidate."""
        return self.generation_size

    @abstractmethod
    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one generation.

        Args:
            samples: [lam, D], indices of options. The last generation of a search may be short, down to one sample.
            losses: [lam], what `losses` makes of the evaluations.
        """

    def losses(self, generation: Sequence[Evaluation]) -> NDArray[np.float64]:
        """The objectives, [lam]: smaller is better; infinite where the network is broken."""
        return np.array([evaluation.objective for evaluation in generation])

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation; they, and those told before, may be the same networks."""
        self.learn(observed)
        return self.draw(rng, self.generation_size)

    def conclusion(self, observed: Sequence[Evaluation]) -> Decisions | None:
        """The mode of the distribution; if it breaks a limit, the most probable network told."""
        self.learn(observed)
        mode = self.mode()
        return mode if self.is_feasible(mode) else self.most_probable([evaluation.decisions for evaluation in observed])

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Those of the distribution to which the evaluations lead."""
        self.learn(observed)
        return self.state_diagnostics()

    def probabilities_after(self, observed: Sequence[Evaluation]) -> Probabilities:
        """Those to which the evaluations lead."""
        self.learn(observed)
        return self.probabilities()

    def learn(self, observed: Sequence[Evaluation]) -> None:
        """Bring the distribution to where these evaluations, in generations one after the other, lead."""
        generations = [list(own) for _, own in groupby(observed, key=lambda evaluation: evaluation.generation)]
        if generations[: len(self._learnt)] != self._learnt:
            self.reset()
            self._learnt = []
        for own in generations[len(self._learnt) :]:
            samples = np.array([evaluation.decisions for evaluation in own])
            self.update(samples, self.losses(own))
            self._learnt.append(own)


def _probability(vector: Decisions, probabilities: Probabilities) -> float:
    return prod(own[index] for index, own in zip(vector, probabilities, strict=True))
