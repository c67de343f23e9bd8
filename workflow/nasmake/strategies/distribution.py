"""Base classes of the strategies that learn a probability distribution over the options of every decision.

`Distribution` draws vectors and has a state that updates change; it is what nas.type simultaneous needs.
`DistributionStrategy` adds proposals in generations. The update rules are in `asng`, `reinforce` and `proxyless`.
"""

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

    A vector that breaks a limit is drawn again, up to 500 times. After that, drawn vectors are repaired: decisions are
    taken from a cheapest network, in random order, until the vector is within the limits. Drawn vectors are not
    canonical and may repeat.

    Attributes:
        categories: [D], the number of options of every decision.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        super().__init__(space, costs, settings)
        self.categories = [len(decision.choices) for decision in space.decisions]
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Return to the distribution before the first update."""

    @abstractmethod
    def probabilities(self) -> Probabilities:
        """Return the present probabilities of the options of every decision."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return everything that updates change, as numbers, lists and mappings. JSON keeps these values exactly."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()` of a strategy for the same space with the same settings."""

    @property
    @abstractmethod
    def passes_per_update(self) -> int:
        """Cost of one update in forward passes of a network; a backward pass counts as two forward passes."""

    def draw(self, rng: random.Random, count: int) -> list[Decisions]:
        """Return `count` decision vectors within the limits.

        Raises:
            InputError: no architecture is within the limits.
        """
        probabilities = self.probabilities()
        return [self._draw_feasible(rng, probabilities) for _ in range(count)]

    def _draw_feasible(self, rng: random.Random, probabilities: Probabilities) -> Decisions:
        for cheapest in self.attempts():
            vector = tuple(rng.choices(range(len(row)), row)[0] for row in probabilities)
            if cheapest is not None:
                vector = self.repaired(rng, vector, cheapest)
            if self.is_feasible(vector):
                return vector
        raise self.no_architecture()

    def mode(self) -> Decisions:
        """Return the most probable option of every decision, the first of equals. The mode may break a limit."""
        return tuple(row.index(max(row)) for row in self.probabilities())

    def feasible_mode(self, rng: random.Random) -> Decisions:
        """Return the mode or, if the mode breaks a limit, the most probable of 500 vectors drawn within the limits.

        Raises:
            InputError: no architecture is within the limits.
        """
        mode = self.mode()
        return mode if self.is_feasible(mode) else self.most_probable(self.draw(rng, TRIES))

    def most_probable(self, candidates: Sequence[Decisions]) -> Decisions:
        """Return the vector with the highest probability, the last of equals in lexical order."""
        probabilities = self.probabilities()
        chance = {
            vector: prod(row[index] for row, index in zip(probabilities, vector, strict=True)) for vector in candidates
        }
        return max(candidates, key=lambda vector: (chance[vector], vector))

    def state_diagnostics(self) -> dict[str, float]:
        """Return how far the present distribution has concentrated, by the names in `columns`."""
        return concentration(self.probabilities())


class DistributionStrategy(Distribution, ProposingStrategy):
    """Draws search.samples_per_update candidates, and moves its distribution once all of them are evaluated.

    The distribution learns from the proposed vectors. They are within the limits, and a repaired vector counts as if it
    had been drawn. An option without effect counts as drawn too, not as the index 0 of the canonical vector.

    The state is rebuilt from the observed evaluations, generation by generation. Generations that the object has
    learnt before are not learnt again.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self._learnt: list[list[Evaluation]] = []
        super().__init__(space, costs, settings)

    @property
    def generation_size(self) -> int:
        """Number of candidates between two updates."""
        return self.settings.samples_per_update

    @property
    def passes_per_update(self) -> int:
        """Cost of one update in forward passes: one for each candidate."""
        return self.generation_size

    @abstractmethod
    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one generation.

        Args:
            samples: [lam, D], indices of options. The last generation of a search may be short, down to one sample.
            losses: [lam], as `losses` computes them from the evaluations.
        """

    def losses(self, generation: Sequence[Evaluation]) -> NDArray[np.float64]:
        """Return the objectives, [lam]: smaller is better, and a broken network has infinity."""
        return np.array([evaluation.objective for evaluation in generation])

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation. A network may be proposed more than once."""
        self.learn(observed)
        return self.draw(rng, self.generation_size)

    def conclusion(self, observed: Sequence[Evaluation]) -> Decisions | None:
        """Return the mode or, if the mode breaks a limit, the most probable of the observed vectors."""
        self.learn(observed)
        mode = self.mode()
        return mode if self.is_feasible(mode) else self.most_probable([evaluation.decisions for evaluation in observed])

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Return the diagnostics of the distribution after these evaluations."""
        self.learn(observed)
        return self.state_diagnostics()

    def probabilities_after(self, observed: Sequence[Evaluation]) -> Probabilities:
        """Return the probabilities after these evaluations."""
        self.learn(observed)
        return self.probabilities()

    def learn(self, observed: Sequence[Evaluation]) -> None:
        """Bring the distribution to the state after these evaluations, which are in the order of their generations."""
        groups = groupby(observed, key=lambda evaluation: evaluation.generation)
        generations = [list(evaluations) for _, evaluations in groups]
        if generations[: len(self._learnt)] != self._learnt:
            self.reset()
            self._learnt = []
        for generation in generations[len(self._learnt) :]:
            samples = np.array([evaluation.decisions for evaluation in generation])
            self.update(samples, self.losses(generation))
            self._learnt.append(generation)
