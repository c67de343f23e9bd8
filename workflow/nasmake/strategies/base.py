"""What all strategies share: the limits, and no architecture twice."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from nasmake.config import Search
from nasmake.cost import CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.limits import within_limits

TRIES = 1000  # draws for one candidate that is new and within the limits, before the generation ends short


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

    @abstractmethod
    def draw(self, rng: random.Random, index: int, told: Sequence[Evaluation]) -> Decisions:
        """One proposal, number `index` of its generation; it may break a limit or repeat, and is then drawn again."""

    def propose(self, rng: random.Random, told: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation: population_size of them, fewer if the space holds no more."""
        seen = {evaluation.decisions for evaluation in told}
        generation: list[Decisions] = []
        for index in range(self.settings.population_size):
            for attempt in range(TRIES):
                drawn = self.draw(rng, index, told) if attempt < TRIES // 2 else self._draw_anything(rng)
                candidate = self.space.canonical(drawn)
                if candidate not in seen and within_limits(self.costs, self.settings, candidate):
                    seen.add(candidate)
                    generation.append(candidate)
                    break
        return generation

    def _draw_anything(self, rng: random.Random) -> Decisions:
        """What is left where parents have no new children, or a limit leaves little but what is near the cheapest."""
        metric: Metric = "macs" if self.settings.constraint.macs is not None else "parameters"
        near_cheapest = self.space.mutate(self.costs.cheapest(metric), rng, self.settings.mutation_prob)
        return near_cheapest if rng.random() < 0.5 else self.space.sample(rng)
