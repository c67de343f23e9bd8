"""Searches on small spaces without networks: a simple loss of the decisions replaces the evaluation."""

from functools import cache
from itertools import product
from random import Random

import pytest
from nasmake.config.search import Constraint, Search
from nasmake.strategies import STRATEGIES, Evaluation, ProposingStrategy, make_strategy, strategy_of
from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.loop import ProposalLoop
from nasmake.strategies.population import PopulationStrategy
from small_spaces import build, shipped, small, table_with_latency

POPULATION, GENERATIONS = 8, 5
BUDGET = GENERATIONS * POPULATION
SAMPLES = 6  # candidates of a distribution in one generation; the last generation of BUDGET is short
PROPOSING = [name for name in STRATEGIES if issubclass(strategy_of(name), ProposingStrategy)]
every_strategy = pytest.mark.parametrize("name", PROPOSING)
POPULATIONS = [name for name in STRATEGIES if issubclass(strategy_of(name), PopulationStrategy)]
DISTRIBUTIONS = [name for name in STRATEGIES if issubclass(strategy_of(name), DistributionStrategy)]
every_population = pytest.mark.parametrize("name", POPULATIONS)
every_distribution = pytest.mark.parametrize("name", DISTRIBUTIONS)
SPACES = {
    "proxyless": (shipped("proxyless_digits"), 1, 8),
    "mnasnet": (build(small()), 3, 16),
}
every_space = pytest.mark.parametrize("space", SPACES)
COSTS = {name: table_with_latency(*facts) for name, facts in SPACES.items()}


@cache
def all_networks(space):
    """Return every canonical vector of a small space."""
    search_space = SPACES[space][0]
    options = (range(len(decision.choices)) for decision in search_space.decisions)
    return {search_space.canonical(vector) for vector in product(*options)}


def new_strategy(name, space, **limits):
    sizes = {"population_size": POPULATION, "samples_per_update": SAMPLES}
    settings = Search(algorithm=name, constraint=Constraint(**limits), **sizes)
    return make_strategy(SPACES[space][0], COSTS[space], settings)


def loss(decisions):
    """Return a loss to which every decision contributes, with one best option per decision."""
    return sum((index - position % 3) ** 2 for position, index in enumerate(decisions)) / len(decisions)


def evaluation(val_loss, decisions, generation=0):
    return Evaluation(val_loss, 0.0, decisions, val_loss, 0.5, generation)


def search(strategy, budget=BUDGET, seed=0, observed=(), score=loss):
    """Run a search as its stage does, from the step after the last observed evaluation."""
    loop = ProposalLoop(strategy, (seed, "search"), budget, lambda decisions: (score(decisions), 0.5))
    for evaluation in observed:
        loop.tell(evaluation)
    for step in range(len(observed), budget):
        loop.step(step)
    return loop


def observed_by(strategy, **options):
    return search(strategy, **options).observed


def limit(space, metric, share):
    """Return the cost that this share of random networks does not exceed."""
    rng = Random(1)
    costs = sorted(COSTS[space].of(SPACES[space][0].sample(rng))[metric] for _ in range(400))
    return costs[int(share * len(costs))]
