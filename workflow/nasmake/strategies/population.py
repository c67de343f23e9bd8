"""The base class of the strategies that propose each network once: random search, evolution and NSGA-II."""

import random
from abc import abstractmethod
from collections.abc import Sequence

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation, ProposingStrategy


class PopulationStrategy(ProposingStrategy):
    """Proposes search.population_size networks in a generation, each as its canonical vector and each only once."""

    @property
    def generation_size(self) -> int:
        """Number of candidates in one generation."""
        return self.settings.population_size

    @property
    def single_mutation(self) -> float:
        """Probability per decision with which a mutation changes one decision on average."""
        return 1 / max(1, sum(len(decision.choices) > 1 for decision in self.space.decisions))

    @abstractmethod
    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return one proposal. `propose` draws again if the vector breaks a limit or was proposed before.

        Args:
            rng: the source of random draws.
            index: position of the candidate in its generation, from 0.
            ranked: all evaluations of earlier generations, best first.
        """

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation, all of them new."""
        ranked, seen = sorted(observed), {evaluation.decisions for evaluation in observed}
        generation: list[Decisions] = []
        for index in range(self.generation_size):
            drawn = (
                self.draw(rng, index, ranked)
                if cheapest is None
                else self.repaired(rng, self.space.sample(rng), cheapest)
                for cheapest in self.attempts()
            )
            networks = map(self.space.canonical, drawn)
            candidate = next(
                (network for network in networks if network not in seen and self.is_feasible(network)), None
            )
            if candidate is None:
                break
            seen.add(candidate)
            generation.append(candidate)
        if not seen:
            raise self.no_architecture()
        return generation
