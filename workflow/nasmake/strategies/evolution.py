"""Evolution as in single path one-shot NAS (Guo et al., arXiv 1904.00420, algorithm 1).

Differs from the paper: constraints are kept by drawing again, as there, but on exact MACs or parameters, and children
are compared by the search's objective, by default loss: accuracy ties on small validation sets. Networks may age
(Real et al., arXiv 1802.01548): then even the best is a parent for some generations only.
"""

import random
from collections.abc import Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy


class Evolution(PopulationStrategy):
    """The first generation is random; later ones are children of the best told, within search.max_age generations."""

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """A random vector, a crossover of two parents, or the mutation of one."""
        if not ranked:
            return self.space.sample(rng)
        settings = self.settings
        number = max(2, round(settings.parent_ratio * settings.population_size))
        parents = [evaluation.decisions for evaluation in self._living(ranked)[:number]]
        if index < settings.crossover_ratio * settings.population_size and len(parents) > 1:
            first, second = rng.sample(parents, 2)
            return self.space.crossover(first, second, rng)
        return self.space.mutate(rng.choice(parents), rng, settings.mutation_prob)

    def _living(self, ranked: Sequence[Evaluation]) -> Sequence[Evaluation]:
        """Those of the last search.max_age generations, in their order."""
        age = self.settings.max_age
        if age is None:
            return ranked
        last = max(evaluation.generation for evaluation in ranked)
        return [evaluation for evaluation in ranked if evaluation.generation > last - age]
