"""Search with several objectives by NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017)."""

import random
from collections.abc import Sequence
from itertools import groupby
from math import isfinite
from typing import ClassVar

from nasmake.core.pareto import crowded_order, non_dominated
from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy

CROSSOVER = 0.9  # probability that a child has two parents (Deb et al., section V)


class Nsga2Search(PopulationStrategy):
    """Draws children of the best networks by non-domination and crowding, over val loss and the costs of search.front.

    Parents are selected from the last generation together with its own parents. A binary tournament by the crowded
    comparison, uniform crossover and one mutation per child on average make the children. A generation is random if
    fewer than two intact networks were evaluated before it, because a broken network is never a parent.
    """

    columns: ClassVar[tuple[str, ...]] = (*PopulationStrategy.columns, "front_size")

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation, all of them new."""
        self._parents = self._survivors(observed)
        return super().propose(rng, observed)

    def _survivors(self, observed: Sequence[Evaluation]) -> list[Evaluation]:
        """Return the parents of the next generation, best first: of each generation and its parents, the best."""
        survivors: list[Evaluation] = []
        for _, generation in groupby(observed, key=lambda evaluation: evaluation.generation):
            pool = [*survivors, *(evaluation for evaluation in generation if isfinite(evaluation.val_loss))]
            order = crowded_order([self.point(evaluation) for evaluation in pool])
            survivors = [pool[index] for index in order[: self.settings.population_size]]
        return survivors

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return a child, or a random vector if there are no parents."""
        if len(self._parents) < 2:
            return self.space.sample(rng)
        child = self._winner(rng)
        if rng.random() < CROSSOVER:
            child = self.space.crossover(child, self._winner(rng), rng)
        return self.space.mutate(child, rng, self.single_mutation)

    def _winner(self, rng: random.Random) -> Decisions:
        """Return the better one of two parents that are drawn at random."""
        return self._parents[min(rng.sample(range(len(self._parents)), 2))].decisions

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Return the common diagnostics and the number of observed networks that no other one dominates."""
        return super().diagnostics(observed) | {
            "front_size": sum(non_dominated([self.point(evaluation) for evaluation in observed]))
        }
