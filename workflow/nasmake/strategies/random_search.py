"""Random search: the baseline that any other strategy has to beat at equal cost."""

import random
from collections.abc import Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy


class RandomSearch(PopulationStrategy):
    """Uniform over the decision vectors that keep the limits."""

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """A decision vector, whatever was told."""
        return self.space.sample(rng)
