"""Search with several objectives by NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017), as Optuna implements it."""

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

CROSSOVER = 0.9  # probability that a child has two parents
SWAP = 0.5  # probability that a decision of such a child comes from the second parent
GENERATION = "generation"  # the attribute of a trial that holds its generation


class ObservedGenerations(optuna.samplers.NSGAIISampler):
    """NSGA-II over evaluations from outside. Optuna itself knows the generations of trials that it sampled only.

    Attributes:
        next_generation: the generation of the children.
    """

    next_generation = 0

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        """Return the generation of the children: Optuna asks for new trials only."""
        return self.next_generation

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the observed trials of a generation."""
        trials = study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.user_attrs.get(GENERATION) == generation]


class Nsga2Search(PopulationStrategy):
    """Draws children of the best networks by non-domination and crowding, over val loss and the costs of search.front.

    Parents are selected from the last generation together with its own parents. A binary tournament, uniform crossover
    and one mutation per child on average make the children. A generation is random if fewer than two intact networks
    were evaluated before it, because a broken network is never a parent.
    """

    columns: ClassVar[tuple[str, ...]] = (*PopulationStrategy.columns, "front_size")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        super().__init__(space, costs, settings)
        self._distributions: dict[str, BaseDistribution] = {
            decision.name: CategoricalDistribution(range(len(decision.choices))) for decision in space.decisions
        }

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation, all of them new."""
        self._study = self._study_of(rng, observed)
        return super().propose(rng, observed)

    def _study_of(self, rng: random.Random, observed: Sequence[Evaluation]) -> optuna.Study | None:
        """Return the evaluations as a study that can be asked for children, or None without two parents."""
        intact = [evaluation for evaluation in observed if isfinite(evaluation.val_loss)]
        if len(intact) < 2:
            return None
        silence_optuna()
        searched = sum(not distribution.single() for distribution in self._distributions.values())
        sampler = ObservedGenerations(
            population_size=self.settings.population_size,
            crossover_prob=CROSSOVER,
            swapping_prob=SWAP,
            mutation_prob=1 / max(1, searched),
            seed=rng.getrandbits(32),
        )
        directions = [StudyDirection.MINIMIZE] * (1 + len(self.settings.front))
        study = optuna.create_study(sampler=sampler, directions=directions)
        study.add_trials(
            create_trial(
                values=self.point(evaluation),
                params=dict(zip(self._distributions, evaluation.decisions, strict=True)),
                distributions=dict(self._distributions),
                user_attrs={GENERATION: evaluation.generation},
            )
            for evaluation in intact
        )
        sampler.next_generation = 1 + observed[-1].generation
        for generation in range(1, 1 + sampler.next_generation):
            sampler.get_parent_population(study, generation)  # the parents of a generation depend on earlier parents
        return study

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return a child, or a random vector if there are no parents."""
        if self._study is None:
            return self.space.sample(rng)
        parameters = self._study.ask(self._distributions).params
        return tuple(parameters[name] for name in self._distributions)

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Return the common diagnostics and the number of observed networks that no other one dominates."""
        return super().diagnostics(observed) | {
            "front_size": sum(non_dominated([self.point(evaluation) for evaluation in observed]))
        }
