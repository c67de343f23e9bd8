"""Tests of every search strategy and of evolution. A new entry of STRATEGIES is tested without further work.

The modules base, constraints, loop, population and random_search are tested here, with tests/strategies/ and
test_distributions.py for the rest of the package.
"""

from itertools import count
from operator import attrgetter
from random import Random

import pytest
from nasmake.config.search import Constraint, Search
from nasmake.core.declared import UndeclaredKeyError
from nasmake.core.errors import InputError
from nasmake.costs.table import METRICS, CostTable
from nasmake.strategies import COMMON_READS, STRATEGIES, Entry, make_strategy, strategy_of
from nasmake.strategies.constraints import check_algorithm, check_feasible, is_feasible
from nasmake.strategies.distribution import Distribution
from nasmake.strategies.random_search import RandomSearch
from small_searches import (
    BUDGET,
    COSTS,
    DISTRIBUTIONS,
    POPULATION,
    PROPOSING,
    SAMPLES,
    SPACES,
    all_networks,
    evaluation,
    every_population,
    every_space,
    every_strategy,
    limit,
    loss,
    new_strategy,
    observed_by,
    search,
)
from small_spaces import build, content, shipped


@every_strategy
@every_space
def test_budget_is_respected_and_used(name, space):
    evaluated = []
    loop = search(new_strategy(name, space), score=lambda decisions: evaluated.append(decisions) or loss(decisions))
    assert len(loop.observed) == BUDGET
    assert len(evaluated) == len(set(evaluated)) == len(loop.evaluations) <= BUDGET
    assert len(evaluated) == BUDGET or name in DISTRIBUTIONS


@every_strategy
@every_space
@pytest.mark.parametrize("budget", [2, SAMPLES, SAMPLES + 1, SAMPLES + 2, BUDGET])
def test_generations_are_whole_up_to_the_last(name, space, budget):
    strategy = new_strategy(name, space)
    observed = observed_by(strategy, budget=budget)
    sizes = [
        len([one for one in observed if one.generation == number]) for number in range(observed[-1].generation + 1)
    ]
    assert sum(sizes) == budget
    concluding = sizes.pop() if name in DISTRIBUTIONS else 1
    assert concluding == 1 and all(size == strategy.generation_size for size in sizes[:-1])


@every_strategy
@every_space
def test_evaluated_networks_are_canonical_vectors_of_the_space(name, space):
    for vector in search(new_strategy(name, space), budget=2 * BUDGET).evaluations:
        SPACES[space][0].check(vector)
        assert SPACES[space][0].canonical(vector) == vector


@every_strategy
@every_space
def test_a_network_proposed_again_has_the_score_it_had(name, space):
    scores = count()
    loop = search(new_strategy(name, space), budget=2 * BUDGET, score=lambda _: next(scores))
    for one in loop.observed:
        assert one.val_loss == loop.evaluations[SPACES[space][0].canonical(one.decisions)].val_loss


@every_strategy
@every_space
def test_seed_decides(name, space):
    first, again, other = (observed_by(new_strategy(name, space), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


@every_strategy
@every_space
@pytest.mark.parametrize("stop", [1, SAMPLES, POPULATION, 2 * SAMPLES + 1, BUDGET - 1])
def test_resumed_anywhere_equals_uninterrupted(name, space, stop):
    """The training state holds the observed evaluations and nothing else."""
    whole = search(new_strategy(name, space))
    resumed = search(new_strategy(name, space), observed=whole.observed[:stop])
    assert resumed.observed == whole.observed and resumed.evaluations == whole.evaluations
    for steps in (POPULATION, BUDGET):
        assert resumed.diagnostics(steps) == whole.diagnostics(steps)


@every_strategy
@every_space
def test_proposals_have_no_hidden_state(name, space):
    strategy = new_strategy(name, space)
    whole = observed_by(strategy)
    known = [evaluation for evaluation in whole if evaluation.generation < 2]
    proposals = [asked.propose(Random("0 2"), known) for asked in (strategy, new_strategy(name, space), strategy)]
    assert proposals[0] == proposals[1] == proposals[2]
    strategy.propose(Random(0), [one._replace(objective=-one.objective, val_loss=-one.val_loss) for one in known])
    assert strategy.propose(Random("0 2"), known) == proposals[0]


@every_strategy
@every_space
def test_proposing_does_not_change_the_observed_evaluations(name, space):
    observed = observed_by(new_strategy(name, space), budget=2 * POPULATION)
    before = list(observed)
    new_strategy(name, space).propose(Random(0), observed)
    assert observed == before


@every_strategy
@every_space
@pytest.mark.parametrize("share", [0.3, 0.02])
@pytest.mark.parametrize("metric", METRICS)
def test_limits_are_never_violated(name, space, metric, share):
    bound = limit(space, metric, share)
    observed = observed_by(new_strategy(name, space, **{metric: bound}))
    assert len(observed) >= BUDGET - 2
    assert max(COSTS[space].of(evaluation.decisions)[metric] for evaluation in observed) <= bound


@every_strategy
@every_space
def test_all_limits_at_once(name, space):
    bounds = {metric: limit(space, metric, 0.4) for metric in METRICS}
    observed = observed_by(new_strategy(name, space, **bounds))
    assert len(observed) >= POPULATION
    for one in observed:
        assert all(COSTS[space].of(one.decisions)[metric] <= bound for metric, bound in bounds.items())


@every_strategy
@pytest.mark.parametrize(("number", "metric"), [(1, "parameters"), (3, "latency_ms"), (10, "macs")])
def test_where_a_handful_of_networks_are_feasible_they_are_found_and_then_it_ends(name, metric, number):
    def cost(decisions):
        return COSTS["proxyless"].of(decisions)[metric]

    bound = sorted(map(cost, all_networks("proxyless")))[number - 1]
    feasible = {vector for vector in all_networks("proxyless") if cost(vector) <= bound}
    loop = search(new_strategy(name, "proxyless", **{metric: bound}))
    evaluated = loop.evaluations.keys()
    assert evaluated <= feasible and len(evaluated) >= (0.5 if name in DISTRIBUTIONS else 0.8) * len(feasible)
    assert len(loop.observed) == (BUDGET if name in DISTRIBUTIONS else len(evaluated))


@every_strategy
def test_large_space_with_a_limit_near_its_cheapest_network_still_gives_candidates(name):
    space = shipped("proxyless_imagenet")
    costs = CostTable(space, 3, 224)
    bound = int(1.05 * costs.macs(costs.cheapest("macs")))
    settings = Search(algorithm=name, population_size=3, samples_per_update=3, constraint=Constraint(macs=bound))
    candidates = make_strategy(space, costs, settings).propose(Random(0), [])
    assert len(candidates) == 3 and all(costs.macs(candidate) <= bound for candidate in candidates)


@every_strategy
def test_second_limit_is_the_tight_one(name):
    least = COSTS["mnasnet"].of(COSTS["mnasnet"].cheapest("parameters"))["parameters"]
    strategy = new_strategy(name, "mnasnet", macs=10**12, parameters=int(1.02 * least))
    assert strategy.propose(Random(0), [])


@every_population
def test_last_networks_of_a_space_are_found_and_then_it_ends(name):
    space = build(two_blocks())
    networks = sorted({space.canonical(space.sample(Random(seed))) for seed in range(2000)})
    strategy = make_strategy(space, CostTable(space, 1, 8), Search(algorithm=name, population_size=5))
    observed = [evaluation(loss(vector), vector) for vector in networks[3:]]
    assert sorted(strategy.propose(Random(0), observed)) == networks[:3]


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
    least = costs.of(costs.cheapest(metric))[metric]
    check_feasible(costs, Search(constraint=Constraint(**{metric: least})))
    below = round(least - (1e-6 if metric == "latency_ms" else 1), 6)
    with pytest.raises(InputError) as error:
        check_feasible(costs, Search(constraint=Constraint(**{metric: below})))
    decisions = " ".join(map(str, costs.cheapest(metric)))
    assert str(error.value) == (
        f"search.constraint.{metric} is {below}; expected {least} or more, "
        f"which the cheapest architecture of the space has (decisions {decisions})"
    )


@every_strategy
def test_limits_that_no_architecture_keeps_together_are_refused(name):
    """`check_feasible` checks the limits one by one and accepts all three."""
    costs = COSTS["mnasnet"]
    limits = {metric: costs.of(costs.cheapest(metric))[metric] for metric in METRICS}
    check_feasible(costs, Search(constraint=Constraint(**limits)))
    with pytest.raises(InputError) as error:
        new_strategy(name, "mnasnet", **limits).propose(Random(0), [])
    shown = ", ".join(f"{metric} {limit}" for metric, limit in limits.items())
    assert str(error.value).startswith(f"search.constraint is {shown}; expected limits that at least one architecture")


@every_strategy
def test_limit_on_latency_without_a_table_is_refused(name):
    settings = Search(algorithm=name, constraint=Constraint(latency_ms=1000))
    with pytest.raises(InputError, match="no latency table was given"):
        make_strategy(SPACES["mnasnet"][0], CostTable(*SPACES["mnasnet"]), settings)


def test_within_limits_is_inclusive():
    costs = COSTS["proxyless"]
    cheapest = costs.cheapest("macs")
    macs, parameters = costs.macs(cheapest), costs.of(cheapest)["parameters"]
    for limits, kept in (
        ({}, True),
        ({"macs": macs}, True),
        ({"macs": macs - 1}, False),
        ({"parameters": parameters}, True),
        ({"parameters": parameters - 1}, False),
        ({"macs": macs, "parameters": parameters - 1}, False),
    ):
        assert is_feasible(costs, Search(constraint=Constraint(**limits)), cheapest) is kept


# Declarations: which keys of section `search` a strategy reads, and whether it has a distribution.


def test_declared_keys_exist_and_none_is_declared_twice():
    for entry in STRATEGIES.values():
        assert len({*COMMON_READS, *entry.reads}) == len(COMMON_READS) + len(entry.reads)
        for key in (*COMMON_READS, *entry.reads):
            attrgetter(key)(Search())


def test_strategies_with_a_distribution_declare_it():
    declared = {name: entry.has_distribution for name, entry in STRATEGIES.items()}
    assert declared == {name: issubclass(strategy_of(name), Distribution) for name in STRATEGIES}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in PROPOSING for key in STRATEGIES[name].reads])
def test_strategy_reads_each_key_that_it_declares(name, key, monkeypatch):
    entry = STRATEGIES[name]
    reads = tuple(declared for declared in entry.reads if declared != key)
    monkeypatch.setitem(STRATEGIES, name, entry._replace(reads=reads))
    with pytest.raises(UndeclaredKeyError, match=f"search strategy {name} reads {key}, which it does not declare"):
        observed_by(new_strategy(name, "proxyless"))


class Undeclared(RandomSearch):
    """A new strategy whose author forgot to declare search.mutation_prob."""

    def draw(self, rng, index, ranked):
        return self.space.mutate(self.space.sample(rng), rng, self.settings.mutation_prob)


def test_new_strategy_that_reads_a_key_without_declaring_it_fails_here(monkeypatch):
    settings = Search(population_size=POPULATION).model_copy(update={"algorithm": "undeclared"})
    entry = Entry(f"{__name__}:Undeclared")
    monkeypatch.setitem(STRATEGIES, "undeclared", entry)
    strategy = make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings)
    with pytest.raises(UndeclaredKeyError, match="search strategy undeclared reads mutation_prob"):
        observed_by(strategy)
    monkeypatch.setitem(STRATEGIES, "undeclared", entry._replace(reads=("mutation_prob",)))
    assert observed_by(make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings))


def test_random_search_works_with_the_settings_of_another_strategy():
    """The random baseline of every search is such an object."""
    for name in STRATEGIES:
        settings = Search(algorithm=name, population_size=POPULATION)
        assert observed_by(RandomSearch(SPACES["proxyless"][0], COSTS["proxyless"], settings))


@pytest.mark.parametrize("name", sorted({*PROPOSING} - {"random"}))
def test_strategy_beats_random_search_where_each_decision_counts_by_itself(name):
    """Losses are noiseless sums over decisions. No strategy evaluates more distinct networks than random search."""
    space, costs = SPACES["proxyless"][0], COSTS["proxyless"]
    losses = [[Random(f"{place}/{index}").random() for index in range(7)] for place in range(len(space.decisions))]

    def loss_of(decisions):
        return sum(row[index] for row, index in zip(losses, decisions, strict=True))

    def best(algorithm, seed):
        strategy = make_strategy(space, costs, Search(algorithm=algorithm, population_size=20))
        return search(strategy, budget=200, seed=seed, score=loss_of).best().val_loss

    gains = [best("random", seed) - best(name, seed) for seed in range(3)]
    assert sum(gains) > 0, gains


# Evolution.


@pytest.mark.parametrize("ratios", [(0.2, 0.5), (0.1, 0.0), (0.01, 1.0), (1.0, 0.5)], ids=str)
def test_evolution_beats_random_search_on_a_landscape(ratios):
    def best(name):
        settings = Search(algorithm=name, population_size=20, parent_ratio=ratios[0], crossover_ratio=ratios[1])
        space = shipped("proxyless_imagenet")
        strategy = make_strategy(space, CostTable(space, 3, 224), settings)
        return search(strategy, budget=160).best().val_loss

    assert best("evolution") < best("random")


def test_parents_are_the_best_networks_in_whatever_order_they_were_evaluated():
    strategy = new_strategy("evolution", "proxyless")
    observed = observed_by(strategy, budget=3 * POPULATION)
    assert strategy.propose(Random(5), observed) == strategy.propose(Random(5), observed[::-1])


def test_crossover_of_two_parents_takes_every_decision_from_one_of_them():
    settings = Search(algorithm="evolution", population_size=4, parent_ratio=0.5, crossover_ratio=1.0)
    space = SPACES["proxyless"][0]
    strategy = make_strategy(space, COSTS["proxyless"], settings)
    rng = Random(3)
    parents = [space.canonical(space.sample(rng)) for _ in range(2)]
    others = [space.canonical(space.sample(rng)) for _ in range(6)]
    observed = [evaluation(float(position), vector) for position, vector in enumerate([*parents, *others])]
    for index in range(4):
        child = strategy.draw(rng, index, observed)
        assert all(index in choices for index, choices in zip(child, zip(*parents, strict=True), strict=True))


def test_networks_that_are_too_old_are_no_parents():
    settings = Search(algorithm="evolution", population_size=4, parent_ratio=0.5, crossover_ratio=1.0, max_age=1)
    strategy = make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings)
    old = [evaluation(float(position), (0,) * 6, generation=0) for position in range(4)]
    young = [evaluation(9.0 + position, (1,) * 6, generation=1) for position in range(4)]
    assert all(strategy.draw(Random(seed), 0, sorted(old + young)) == (1,) * 6 for seed in range(20))


def test_evaluations_with_equal_loss_are_ordered_by_their_decisions():
    first, second = evaluation(1.0, (0, 1), generation=5), evaluation(1.0, (1, 0))
    assert min([second, first]) == first


def test_asng_in_a_space_with_one_decision_is_refused():
    mapping = two_blocks()
    mapping["search_range"]["conv_ops"] = [["SepConv"], ["MBConv"]]
    mapping["search_range"]["kernel_size"] = [[3], [3, 5]]
    mapping["search_range"]["expansion_ratio"] = [[1], [1]]
    space = build(mapping)
    with pytest.raises(InputError) as error:
        check_algorithm("asng", space)
    assert str(error.value) == (
        "search.algorithm is asng; expected evolution, random or reinforce, because asng needs two decisions with a "
        "choice and made_up.yaml has only block1"
    )
    for name in STRATEGIES:
        check_algorithm(name, SPACES["proxyless"][0])
        if name != "asng":
            check_algorithm(name, space)
        if name in PROPOSING and name != "asng":
            assert observed_by(make_strategy(space, CostTable(space, 1, 8), Search(algorithm=name, population_size=4)))
