"""Strategies on small spaces and a landscape that can be climbed, as the stage drives them, without networks."""

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
SAMPLES = 6  # of a distribution in one generation: it spans epochs, and the last one is short
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
    """Every canonical vector of a small space."""
    found = SPACES[space][0]
    return {found.canonical(vector) for vector in product(*(range(len(own.choices)) for own in found.decisions))}


def strategy(name, space, **limits):
    sizes = {"population_size": POPULATION, "samples_per_update": SAMPLES}
    settings = Search(algorithm=name, constraint=Constraint(**limits), **sizes)
    return make_strategy(SPACES[space][0], COSTS[space], settings)


def loss(decisions):
    """A landscape that can be climbed: every decision has a best choice of its own."""
    return sum((index - place % 3) ** 2 for place, index in enumerate(decisions)) / len(decisions)


def evaluation(val_loss, decisions, generation=0):
    return Evaluation(val_loss, 0.0, decisions, val_loss, 0.5, generation)


def search(own, budget=BUDGET, seed=0, observed=(), score=loss):
    """Search from wherever `told` stops, as the stage does."""
    progress = ProposalLoop(own, (seed, "search"), budget, lambda decisions: (score(decisions), 0.5))
    for evaluation in observed:
        progress.tell(evaluation)
    for place in range(len(observed), budget):
        progress.step(place)
    return progress


def told_by(own, **options):
    return search(own, **options).observed


def limit(space, metric, share):
    """The cost below which this share of random networks lies."""
    rng = Random(1)
    costs = sorted(getattr(COSTS[space], metric)(SPACES[space][0].sample(rng)) for _ in range(400))
    return costs[int(share * len(costs))]
