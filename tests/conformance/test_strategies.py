"""What every search strategy must satisfy. A new entry of STRATEGIES is tested without further work."""

from functools import cache
from itertools import product
from random import Random

import pytest
from nasmake.artifacts import InputError
from nasmake.config import Constraint, Search
from nasmake.cost import METRICS, CostTable
from nasmake.strategies import STRATEGIES, Evaluation
from nasmake.strategies.limits import check_feasible, within_limits
from small_spaces import build, content, shipped, small, table_with_latency

GENERATIONS, POPULATION = 5, 8
every_strategy = pytest.mark.parametrize("name", STRATEGIES)
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


def strategy(name, space, population_size=POPULATION, **limits):
    settings = Search(algorithm=name, population_size=population_size, constraint=Constraint(**limits))
    return STRATEGIES[name](SPACES[space][0], COSTS[space], settings)


def loss(decisions):
    """A landscape that can be climbed: every decision has a best choice of its own."""
    return sum((index - place % 3) ** 2 for place, index in enumerate(decisions)) / len(decisions)


def search(own, generations=GENERATIONS, seed=0, told=()):
    """Search from wherever `told` stops, as the stage does; returns all evaluations."""
    told = list(told)
    first = len({evaluation.generation for evaluation in told})
    for generation in range(first, generations):
        known = [evaluation for evaluation in told if evaluation.generation < generation]
        candidates = own.propose(Random(f"{seed} {generation}"), known)
        told += [Evaluation(loss(candidate), candidate, 0.5, generation) for candidate in candidates]
    return told


def limit(space, metric, share):
    """The cost below which this share of random networks lies."""
    rng = Random(1)
    costs = sorted(getattr(COSTS[space], metric)(SPACES[space][0].sample(rng)) for _ in range(400))
    return costs[int(share * len(costs))]


@every_strategy
@every_space
def test_budget_is_respected_and_used(name, space):
    told = search(strategy(name, space))
    generations = [[one for one in told if one.generation == number] for number in range(GENERATIONS)]
    assert [len(generation) for generation in generations] == [POPULATION] * GENERATIONS


@every_strategy
@every_space
def test_candidates_are_canonical_vectors_of_the_space_and_none_comes_twice(name, space):
    told = search(strategy(name, space), generations=10)
    decisions = [evaluation.decisions for evaluation in told]
    assert len(set(decisions)) == len(decisions)
    for vector in decisions:
        SPACES[space][0].check(vector)
        assert SPACES[space][0].canonical(vector) == vector


@every_strategy
@every_space
def test_seed_decides(name, space):
    first, again, other = (search(strategy(name, space), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


@every_strategy
@every_space
@pytest.mark.parametrize("stop", [1, 3])
def test_resumed_between_generations_equals_uninterrupted(name, space, stop):
    own = strategy(name, space)
    whole = search(own)
    before = [evaluation for evaluation in whole if evaluation.generation < stop]
    assert search(strategy(name, space), told=before) == whole


@every_strategy
@every_space
def test_resumed_within_a_generation_equals_uninterrupted(name, space):
    """The stage proposes the generation again and goes on with its next candidate: there must be no hidden state."""
    own = strategy(name, space)
    whole = search(own)
    known = [evaluation for evaluation in whole if evaluation.generation < 2]
    for fresh in (own, strategy(name, space)):
        again = fresh.propose(Random("0 2"), known)
        assert again == [evaluation.decisions for evaluation in whole if evaluation.generation == 2]


@every_strategy
@every_space
def test_telling_is_reading_only(name, space):
    told = search(strategy(name, space), generations=2)
    before = list(told)
    strategy(name, space).propose(Random(0), told)
    assert told == before


@every_strategy
@every_space
@pytest.mark.parametrize("share", [0.3, 0.02])
@pytest.mark.parametrize("metric", METRICS)
def test_limits_are_never_violated(name, space, metric, share):
    bound = limit(space, metric, share)
    told = search(strategy(name, space, **{metric: bound}))
    assert len(told) >= GENERATIONS * POPULATION - 2
    assert max(getattr(COSTS[space], metric)(evaluation.decisions) for evaluation in told) <= bound


@every_strategy
@every_space
def test_all_limits_at_once(name, space):
    bounds = {metric: limit(space, metric, 0.4) for metric in METRICS}
    told = search(strategy(name, space, **bounds))
    assert len(told) >= POPULATION
    for evaluation in told:
        assert all(getattr(COSTS[space], metric)(evaluation.decisions) <= bound for metric, bound in bounds.items())


@every_strategy
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("count", [1, 3, 10])
def test_where_a_handful_of_networks_are_feasible_they_are_found_and_then_it_ends(name, metric, count):
    cost = getattr(COSTS["proxyless"], metric)
    bound = sorted(map(cost, all_networks("proxyless")))[count - 1]
    feasible = {vector for vector in all_networks("proxyless") if cost(vector) <= bound}
    told = search(strategy(name, "proxyless", **{metric: bound}), generations=4)
    found = {evaluation.decisions for evaluation in told}
    assert found <= feasible and len(found) == len(told) >= 0.8 * len(feasible)


@every_strategy
def test_large_space_with_a_limit_near_its_cheapest_network_still_gives_candidates(name):
    space = shipped("proxyless_imagenet")
    costs = CostTable(space, 3, 224)
    bound = int(1.05 * costs.macs(costs.cheapest("macs")))
    settings = Search(algorithm=name, population_size=3, constraint=Constraint(macs=bound))
    candidates = STRATEGIES[name](space, costs, settings).propose(Random(0), [])
    assert len(candidates) == 3 and all(costs.macs(candidate) <= bound for candidate in candidates)


@every_strategy
def test_second_limit_is_the_tight_one(name):
    least = COSTS["mnasnet"].parameters(COSTS["mnasnet"].cheapest("parameters"))
    own = strategy(name, "mnasnet", macs=10**12, parameters=int(1.02 * least))
    assert own.propose(Random(0), [])


@every_strategy
def test_last_networks_of_a_space_are_found_and_then_it_ends(name):
    space = build(two_blocks())
    networks = sorted({space.canonical(space.sample(Random(seed))) for seed in range(2000)})
    own = STRATEGIES[name](space, CostTable(space, 1, 8), Search(algorithm=name, population_size=5))
    told = [Evaluation(loss(vector), vector, 0.5, 0) for vector in networks[3:]]
    assert sorted(own.propose(Random(0), told)) == networks[:3]


def two_blocks():
    mapping = content("proxyless_digits")
    for section, key in (
        ("settings", "strides"),
        ("search_range", "base_layer_num"),
        ("search_range", "base_filter_size"),
    ):
        mapping[section][key] = mapping[section][key][:2]
    return mapping


@pytest.mark.parametrize("metric", METRICS)
def test_limit_that_no_network_keeps_is_refused_with_the_cheapest(metric):
    costs = COSTS["mnasnet"]
    least = getattr(costs, metric)(costs.cheapest(metric))
    check_feasible(costs, Search(constraint=Constraint(**{metric: least})))
    below = round(least - (1e-6 if metric == "latency_ms" else 1), 6)
    with pytest.raises(InputError) as error:
        check_feasible(costs, Search(constraint=Constraint(**{metric: below})))
    assert f"search.constraint.{metric}: {below} is below" in str(error.value)
    assert str(error.value).endswith(f"allowed: {least} or more")


@every_strategy
def test_limit_on_latency_without_a_table_is_refused(name):
    settings = Search(algorithm=name, constraint=Constraint(latency_ms=1e9))
    with pytest.raises(InputError, match="no latency table was given"):
        STRATEGIES[name](SPACES["mnasnet"][0], CostTable(*SPACES["mnasnet"]), settings)


def test_within_limits_is_inclusive():
    costs = COSTS["proxyless"]
    cheapest = costs.cheapest("macs")
    macs, parameters = costs.macs(cheapest), costs.parameters(cheapest)
    for limits, kept in (
        ({}, True),
        ({"macs": macs}, True),
        ({"macs": macs - 1}, False),
        ({"parameters": parameters}, True),
        ({"parameters": parameters - 1}, False),
        ({"macs": macs, "parameters": parameters - 1}, False),
    ):
        assert within_limits(costs, Search(constraint=Constraint(**limits)), cheapest) is kept


# What evolution does beyond that.


@pytest.mark.parametrize("ratios", [(0.2, 0.5), (0.1, 0.0), (0.01, 1.0), (1.0, 0.5)], ids=str)
def test_evolution_beats_random_search_on_a_landscape(ratios):
    def best(name):
        settings = Search(algorithm=name, population_size=20, parent_ratio=ratios[0], crossover_ratio=ratios[1])
        own = STRATEGIES[name](
            shipped("proxyless_imagenet"), CostTable(shipped("proxyless_imagenet"), 3, 224), settings
        )
        return min(search(own, generations=8)).val_loss

    assert best("evolution") < best("random")


def test_children_are_made_of_the_best_parents_whoever_was_told_first():
    own = strategy("evolution", "proxyless")
    told = search(own, generations=3)
    assert own.propose(Random(5), told) == own.propose(Random(5), told[::-1])


def test_crossover_of_two_parents_takes_every_decision_from_one_of_them():
    settings = Search(population_size=4, parent_ratio=0.5, crossover_ratio=1.0)
    space = SPACES["proxyless"][0]
    own = STRATEGIES["evolution"](space, COSTS["proxyless"], settings)
    rng = Random(3)
    parents = [space.canonical(space.sample(rng)) for _ in range(2)]
    others = [space.canonical(space.sample(rng)) for _ in range(6)]
    told = [Evaluation(float(place), vector, 0.5, 0) for place, vector in enumerate([*parents, *others])]
    for index in range(4):
        child = own.draw(rng, index, told)
        assert all(index in choices for index, choices in zip(child, zip(*parents, strict=True), strict=True))


def test_evaluations_with_equal_loss_are_ordered_by_their_decisions():
    first, second = Evaluation(1.0, (0, 1), 0.9, 5), Evaluation(1.0, (1, 0), 0.1, 0)
    assert min([second, first]) == first
