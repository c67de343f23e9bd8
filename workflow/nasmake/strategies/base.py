"""What all strategies share: the limits, and no architecture twice."""

import random
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from nasmake.artifacts import InputError
from nasmake.config import Search
from nasmake.cost import CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.limits import limits_of, within_limits

TRIES = 500  # draws of each kind for one candidate that is new and within the limits, before the generation ends short


class Evaluation(NamedTuple):
    """One scored architecture. Smaller sorts better; equal losses are decided by the decisions, never by history."""

    val_loss: float
    decisions: Decisions
    val_accuracy: float
    generation: int


class Strategy(ABC):
    """Proposes candidates within hard limits, each network once.

    A generation is a function of its random generator and of the evaluations told; there is no other state.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self.space, self.costs, self.settings = space, costs, settings
        limited: Iterable[Metric] = limits_of(settings.constraint) or ("parameters",)
        self._cheapest = [costs.cheapest(metric) for metric in limited]

    @abstractmethod
    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """One proposal, number `index` of its generation, from all evaluations told, best first.

        It may break a limit or repeat, and is then drawn again.
        """

    def propose(self, rng: random.Random, told: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation: population_size of them, fewer if no more are found.

        Raises:
            InputError: there is no architecture to begin with.
        """
        ranked, seen = sorted(told), {evaluation.decisions for evaluation in told}
        generation: list[Decisions] = []
        for index in range(self.settings.population_size):
            candidate = self._new(rng, index, ranked, seen)
            if candidate is None:
                break
            seen.add(candidate)
            generation.append(candidate)
        if not seen:
            raise InputError(f"search.constraint: no architecture found that keeps all of {self.settings.constraint}")
        return generation

    def _new(
        self, rng: random.Random, index: int, ranked: Sequence[Evaluation], seen: Container[Decisions]
    ) -> Decisions | None:
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                drawn = self._draw_within_limits(rng, cheapest) if cheapest else self.draw(rng, index, ranked)
                candidate = self.space.canonical(drawn)
                if candidate not in seen and within_limits(self.costs, self.settings, candidate):
                    return candidate
        return None

    def _draw_within_limits(self, rng: random.Random, cheapest: Decisions) -> Decisions:
        """Any vector, with decisions taken from `cheapest`, in random order, until it keeps the limits.

        For limits that leave too little to be hit by chance, and for parents that have no new children left.
        """
        drawn = list(self.space.sample(rng))
        for place in rng.sample(range(len(drawn)), len(drawn)):
            if within_limits(self.costs, self.settings, self.space.canonical(tuple(drawn))):
                break
            drawn[place] = cheapest[place]
        return tuple(drawn)
