"""Strategies that propose each network once."""

import random
from abc import abstractmethod
from collections.abc import Container, Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import TRIES, Evaluation, ProposingStrategy


class PopulationStrategy(ProposingStrategy):
    """Proposes each network once, as its canonical vector."""

    @property
    def generation_size(self) -> int:
        """Candidates of one generation."""
        return self.settings.population_size

    @abstractmethod
    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """One proposal, number `index` of its generation, from all evaluations told, best first.

        It may break a limit or repeat, and is then drawn again.
        """

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation, all of them new."""
        ranked, seen = sorted(observed), {evaluation.decisions for evaluation in observed}
        generation: list[Decisions] = []
        for index in range(self.generation_size):
            candidate = self._new(rng, index, ranked, seen)
            if candidate is None:
                break
            seen.add(candidate)
            generation.append(candidate)
        if not seen:
            raise self.no_architecture()
        return generation

    def _new(
        self, rng: random.Random, index: int, ranked: Sequence[Evaluation], seen: Container[Decisions]
    ) -> Decisions | None:
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                drawn = self._any_feasible(rng, cheapest) if cheapest else self.draw(rng, index, ranked)
                candidate = self.space.canonical(drawn)
                if candidate not in seen and self.is_feasible(candidate):
                    return candidate
        return None

    def _any_feasible(self, rng: random.Random, cheapest: Decisions) -> Decisions:
        return self.repaired(rng, self.space.sample(rng), cheapest)
