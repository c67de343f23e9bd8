"""Evolution as in single path one-shot NAS (Guo et al., arXiv 1904.00420, algorithm 1).

As in the paper, a child that breaks a limit is drawn again. Differences from the paper: the limits are on exact MACs,
parameters or latencies. Children are compared by the objective of the search (by default the val loss), because
accuracies tie on small validation sets. A mutation always changes a decision, while the published code may draw the
same choice again. A crossover takes what has no effect in one parent from the other. Networks may age (Real et al.,
arXiv 1802.01548): then even the best network is a parent for some generations only.
"""

import random
from collections.abc import Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy


class Evolution(PopulationStrategy):
    """Draws a random first generation, then children of the best networks of the last search.max_age generations."""

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return a random vector, a crossover of two parents, or the mutation of one parent."""
        if not ranked:
            return self.space.sample(rng)
        settings = self.settings
        if settings.max_age is not None:
            oldest = max(evaluation.generation for evaluation in ranked) - settings.max_age
            ranked = [evaluation for evaluation in ranked if evaluation.generation > oldest]
        count = max(2, round(settings.parent_ratio * settings.population_size))
        parents = [evaluation.decisions for evaluation in ranked[:count]]
        if index < settings.crossover_ratio * settings.population_size and len(parents) > 1:
            first, second = rng.sample(parents, 2)
            return self.space.crossover(first, second, rng)
        return self.space.mutate(rng.choice(parents), rng, settings.mutation_prob)
