"""Random search: the baseline that every other strategy has to beat at equal cost."""

import random
from collections.abc import Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy


class RandomSearch(PopulationStrategy):
    """Draws uniformly from the decision vectors within the limits."""

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return a random decision vector, independent of all evaluations."""
        return self.space.sample(rng)
