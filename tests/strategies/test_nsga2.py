"""The search strategy nsga2, beyond the conformance tests of all strategies."""

from math import inf
from random import Random

import pytest
from nasmake.config.search import Search
from nasmake.core.pareto import non_dominated
from nasmake.costs.table import CostTable
from nasmake.strategies import Evaluation, make_strategy
from nasmake.strategies.loop import ProposalLoop
from small_spaces import shipped

SPACE = shipped("proxyless_cifar10")
COSTS = CostTable(SPACE, 3, 32)
MOST = COSTS.macs(COSTS.costliest("macs"))
SEEDS = 5


def loss(vector):
    """Return a loss of 0 to 1. It falls with the MACs, which conflicts with the cost, and rises with wrong options."""
    wrong = sum(index % 3 != position % 3 for position, index in enumerate(vector)) / len(vector)
    return 0.5 * (1 - COSTS.macs(vector) / MOST) + 0.5 * wrong


def search(name, seed, budget=200, score=loss, **settings):
    strategy = make_strategy(SPACE, COSTS, Search(algorithm=name, population_size=20, **settings))
    loop = ProposalLoop(strategy, (seed, "search"), budget, lambda vector: (score(vector), 0.5))
    for step in range(budget):
        loop.step(step)
    return loop


def points_of(observed):
    return [(one.val_loss, COSTS.macs(one.decisions) / MOST) for one in observed]


def hypervolume(points):
    """Area that two-dimensional points dominate within the unit square, by sweeping along the first coordinate."""
    area, height = 0.0, 1.0
    for x, y in sorted(points):
        area, height = area + (1 - x) * max(0.0, height - y), min(height, y)
    return area


def test_hypervolume_is_an_area():
    assert hypervolume([(0.5, 0.5)]) == 0.25
    assert hypervolume([(0.25, 0.5), (0.5, 0.25), (0.6, 0.6), (0.5, 0.5)]) == pytest.approx(0.75 * 0.5 + 0.5 * 0.25)


def test_front_comes_closer_than_that_of_random_search_at_equal_cost():
    pairs = [
        [hypervolume(points_of(search(name, seed).observed)) for name in ("nsga2", "random")] for seed in range(SEEDS)
    ]
    assert all(nsga2 > random for nsga2, random in pairs), pairs


def test_both_ends_of_the_front_are_found():
    nsga2, drawn = (points_of(search(name, 0, budget=400).observed) for name in ("nsga2", "random"))
    for coordinate in (0, 1):
        assert min(point[coordinate] for point in nsga2) < min(point[coordinate] for point in drawn)


def test_every_further_cost_is_an_objective():
    loop = search("nsga2", 0, budget=60, front=["macs", "parameters"])
    strategy = loop.strategy
    assert strategy.point(loop.observed[0]) == (
        loop.observed[0].val_loss,
        COSTS.macs(loop.observed[0].decisions),
        COSTS.of(loop.observed[0].decisions)["parameters"],
    )
    only_macs = search("nsga2", 0, budget=60)
    assert only_macs.observed[:20] == loop.observed[:20]
    assert {one.decisions for one in only_macs.observed} != {one.decisions for one in loop.observed}


def test_front_size_counts_the_non_dominated_observed_networks():
    loop = search("nsga2", 0, budget=60)
    sizes = [loop.diagnostics(steps)["front_size"] for steps in (20, 40, 60)]
    assert sizes == [sum(non_dominated(points_of(loop.observed[:steps]))) for steps in (20, 40, 60)]


def test_children_take_their_decisions_from_their_parents():
    """With two parents, every decision without a mutation comes from one of them."""
    strategy = make_strategy(SPACE, COSTS, Search(algorithm="nsga2", population_size=20))
    rng = Random(0)
    parents = [SPACE.canonical(SPACE.sample(rng)) for _ in range(2)]
    observed = [Evaluation(loss(vector), 0.0, vector, loss(vector), 0.5, 0) for vector in parents]
    children = strategy.propose(Random(1), observed)
    foreign = sum(index not in choices for child in children for index, *choices in zip(child, *parents, strict=True))
    assert len(children) == 20 and foreign < 2 * len(children)  # one mutation per child is to be expected


@pytest.mark.parametrize("intact", [0, 1, 2])
def test_broken_networks_are_no_parents_however_cheap(intact):
    strategy = make_strategy(SPACE, COSTS, Search(algorithm="nsga2", population_size=20))
    rng, cheapest = Random(0), COSTS.cheapest("macs")
    vectors = [SPACE.canonical(SPACE.sample(rng)) for _ in range(intact)]
    observed = [Evaluation(inf, 0.0, cheapest, inf, 0.1, 0)] + [
        Evaluation(1.0, 0.0, one, 1.0, 0.5, 0) for one in vectors
    ]
    children = strategy.propose(Random(1), observed)
    assert len({*children}) == 20 and strategy.diagnostics(observed)["front_size"] <= intact
    same = [sum(a == b for a, b in zip(child, cheapest, strict=True)) for child in children]
    assert sum(same) / len(same) < 8  # of 16; a child of the cheapest network would share about 15
