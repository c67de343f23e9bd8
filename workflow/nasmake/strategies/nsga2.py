"""Several objectives at once by NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017), as Optuna has it."""

import random
from collections.abc import Sequence
from math import isfinite
from typing import ClassVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial

from nasmake.config.search import Search
from nasmake.core.pareto import non_dominated
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy
from nasmake.study.journal import silence_optuna

CROSSOVER, SWAP = 0.9, 0.5  # chance of a crossover, and in one of each decision to come from the second parent


class Nsga2Search(PopulationStrategy):
    """Children of the best by non-domination and crowding, over val loss and the costs of search.front.

    Parents are chosen from each generation and the parents of that before; a binary tournament, uniform crossover and
    one mutation per child, on average, make the children. The first generation is random. So is one that has fewer
    than two intact networks before it: a broken one is no parent.
    """

    columns: ClassVar[tuple[str, ...]] = (*PopulationStrategy.columns, "front_size")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        super().__init__(space, costs, settings)
        self._distributions: dict[str, BaseDistribution] = {
            decision.name: CategoricalDistribution(range(len(decision.choices))) for decision in space.decisions
        }

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation, all of them new."""
        self._study = self._study_of(rng, observed)
        return super().propose(rng, observed)

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """A child; without parents a random vector."""
        if self._study is None:
            return self.space.sample(rng)
        parameters = self._study.ask(self._distributions).params
        return tuple(parameters[name] for name in self._distributions)

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Also the number of networks that none of those told dominates."""
        return super().diagnostics(observed) | {
            "front_size": sum(non_dominated([self.point(evaluation) for evaluation in observed]))
        }

    def _study_of(self, rng: random.Random, observed: Sequence[Evaluation]) -> optuna.Study | None:
        """What was told as a study that children can be asked from; None, if there are not two parents."""
        intact = [evaluation for evaluation in observed if isfinite(evaluation.val_loss)]
        if len(intact) < 2:
            return None
        silence_optuna()
        searched = sum(not distribution.single() for distribution in self._distributions.values())
        sampler = _ObservedGenerations(
            population_size=self.settings.population_size,
            crossover_prob=CROSSOVER,
            swapping_prob=SWAP,
            mutation_prob=1 / max(1, searched),
            seed=rng.getrandbits(32),
        )
        directions = [StudyDirection.MINIMIZE] * (1 + len(self.settings.front))
        study = optuna.create_study(sampler=sampler, directions=directions)
        study.add_trials([self._trial(evaluation) for evaluation in intact])
        sampler.next_generation = 1 + observed[-1].generation
        for generation in range(1, 1 + sampler.next_generation):
            sampler.get_parent_population(study, generation)
        return study

    def _trial(self, evaluation: Evaluation) -> FrozenTrial:
        return create_trial(
            values=self.point(evaluation),
            params=dict(zip(self._distributions, evaluation.decisions, strict=True)),
            distributions=dict(self._distributions),
            user_attrs={GENERATION: evaluation.generation},
        )


GENERATION = "generation"


class _ObservedGenerations(optuna.samplers.NSGAIISampler):
    """Goes by the generations told. Optuna counts those of trials that it has sampled itself, and knows no others."""

    next_generation = 0

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        """That of the children: what was told is not asked for."""
        return self.next_generation

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """The trials told of a generation."""
        trials = study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.user_attrs.get(GENERATION) == generation]
