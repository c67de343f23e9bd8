"""What every strategy that proposes candidates must satisfy. A new entry of STRATEGIES needs no further work."""

from functools import cache
from itertools import count, product
from math import inf, nan
from random import Random

import pytest
from nasmake.artifacts import InputError
from nasmake.cost import METRICS, CostTable
from nasmake.search_section import Constraint, Search
from nasmake.strategies import STRATEGIES, Evaluation, ProposingStrategy, make_strategy, strategy_of
from nasmake.strategies.base import PopulationStrategy
from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.limits import check_algorithm, check_feasible, within_limits
from nasmake.strategies.progress import Progress
from small_spaces import build, content, shipped, small, table_with_latency

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


def search(own, budget=BUDGET, seed=0, told=(), score=loss):
    """Search from wherever `told` stops, as the stage does."""
    progress = Progress(own, (seed, "search"), budget, lambda decisions: (score(decisions), 0.5))
    for evaluation in told:
        progress.tell(evaluation)
    for place in range(len(told), budget):
        progress.step(place)
    return progress


def told_by(own, **options):
    return search(own, **options).told


def limit(space, metric, share):
    """The cost below which this share of random networks lies."""
    rng = Random(1)
    costs = sorted(getattr(COSTS[space], metric)(SPACES[space][0].sample(rng)) for _ in range(400))
    return costs[int(share * len(costs))]


@every_strategy
@every_space
def test_budget_is_respected_and_used(name, space):
    evaluated = []
    progress = search(strategy(name, space), score=lambda decisions: evaluated.append(decisions) or loss(decisions))
    assert len(progress.told) == BUDGET
    assert len(evaluated) == len(set(evaluated)) == len(progress.evaluations) <= BUDGET
    assert len(evaluated) == BUDGET or name in DISTRIBUTIONS


@every_strategy
@every_space
@pytest.mark.parametrize("budget", [2, SAMPLES, SAMPLES + 1, SAMPLES + 2, BUDGET])
def test_generations_are_whole_up_to_the_last(name, space, budget):
    own = strategy(name, space)
    told = told_by(own, budget=budget)
    sizes = [len([one for one in told if one.generation == number]) for number in range(told[-1].generation + 1)]
    assert sum(sizes) == budget
    concluding = sizes.pop() if name in DISTRIBUTIONS else 1
    assert concluding == 1 and all(size == own.generation_size for size in sizes[:-1])


@every_strategy
@every_space
def test_what_is_evaluated_are_canonical_vectors_of_the_space(name, space):
    for vector in search(strategy(name, space), budget=2 * BUDGET).evaluations:
        SPACES[space][0].check(vector)
        assert SPACES[space][0].canonical(vector) == vector


@every_strategy
@every_space
def test_a_network_proposed_again_has_the_score_it_had(name, space):
    scores = count()
    progress = search(strategy(name, space), budget=2 * BUDGET, score=lambda _: next(scores))
    for one in progress.told:
        assert one.val_loss == progress.evaluations[SPACES[space][0].canonical(one.decisions)].val_loss


@every_strategy
@every_space
def test_seed_decides(name, space):
    first, again, other = (told_by(strategy(name, space), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


@every_strategy
@every_space
@pytest.mark.parametrize("stop", [1, SAMPLES, POPULATION, 2 * SAMPLES + 1, BUDGET - 1])
def test_resumed_anywhere_equals_uninterrupted(name, space, stop):
    """The training state holds what was told and nothing else."""
    whole = search(strategy(name, space))
    resumed = search(strategy(name, space), told=whole.told[:stop])
    assert resumed.told == whole.told and resumed.evaluations == whole.evaluations
    for places in (POPULATION, BUDGET):
        assert resumed.diagnostics(places) == whole.diagnostics(places)


@every_strategy
@every_space
def test_proposals_have_no_hidden_state(name, space):
    own = strategy(name, space)
    whole = told_by(own)
    known = [evaluation for evaluation in whole if evaluation.generation < 2]
    proposals = [asked.propose(Random("0 2"), known) for asked in (own, strategy(name, space), own)]
    assert proposals[0] == proposals[1] == proposals[2]
    own.propose(Random(0), [one._replace(objective=-one.objective, val_loss=-one.val_loss) for one in known])
    assert own.propose(Random("0 2"), known) == proposals[0]


@every_strategy
@every_space
def test_telling_is_reading_only(name, space):
    told = told_by(strategy(name, space), budget=2 * POPULATION)
    before = list(told)
    strategy(name, space).propose(Random(0), told)
    assert told == before


@every_strategy
@every_space
@pytest.mark.parametrize("share", [0.3, 0.02])
@pytest.mark.parametrize("metric", METRICS)
def test_limits_are_never_violated(name, space, metric, share):
    bound = limit(space, metric, share)
    told = told_by(strategy(name, space, **{metric: bound}))
    assert len(told) >= BUDGET - 2
    assert max(getattr(COSTS[space], metric)(evaluation.decisions) for evaluation in told) <= bound


@every_strategy
@every_space
def test_all_limits_at_once(name, space):
    bounds = {metric: limit(space, metric, 0.4) for metric in METRICS}
    told = told_by(strategy(name, space, **bounds))
    assert len(told) >= POPULATION
    for evaluation in told:
        assert all(getattr(COSTS[space], metric)(evaluation.decisions) <= bound for metric, bound in bounds.items())


@every_strategy
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("number", [1, 3, 10])
def test_where_a_handful_of_networks_are_feasible_they_are_found_and_then_it_ends(name, metric, number):
    cost = getattr(COSTS["proxyless"], metric)
    bound = sorted(map(cost, all_networks("proxyless")))[number - 1]
    feasible = {vector for vector in all_networks("proxyless") if cost(vector) <= bound}
    progress = search(strategy(name, "proxyless", **{metric: bound}))
    found = progress.evaluations.keys()
    assert found <= feasible and len(found) >= (0.5 if name in DISTRIBUTIONS else 0.8) * len(feasible)
    assert len(progress.told) == (BUDGET if name in DISTRIBUTIONS else len(found))


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
    least = COSTS["mnasnet"].parameters(COSTS["mnasnet"].cheapest("parameters"))
    own = strategy(name, "mnasnet", macs=10**12, parameters=int(1.02 * least))
    assert own.propose(Random(0), [])


@every_population
def test_last_networks_of_a_space_are_found_and_then_it_ends(name):
    space = build(two_blocks())
    networks = sorted({space.canonical(space.sample(Random(seed))) for seed in range(2000)})
    own = make_strategy(space, CostTable(space, 1, 8), Search(algorithm=name, population_size=5))
    told = [evaluation(loss(vector), vector) for vector in networks[3:]]
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
        make_strategy(SPACES["mnasnet"][0], CostTable(*SPACES["mnasnet"]), settings)


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
        space = shipped("proxyless_imagenet")
        own = make_strategy(space, CostTable(space, 3, 224), settings)
        return search(own, budget=160).best().val_loss

    assert best("evolution") < best("random")


def test_children_are_made_of_the_best_parents_whoever_was_told_first():
    own = strategy("evolution", "proxyless")
    told = told_by(own, budget=3 * POPULATION)
    assert own.propose(Random(5), told) == own.propose(Random(5), told[::-1])


def test_crossover_of_two_parents_takes_every_decision_from_one_of_them():
    settings = Search(population_size=4, parent_ratio=0.5, crossover_ratio=1.0)
    space = SPACES["proxyless"][0]
    own = make_strategy(space, COSTS["proxyless"], settings)
    rng = Random(3)
    parents = [space.canonical(space.sample(rng)) for _ in range(2)]
    others = [space.canonical(space.sample(rng)) for _ in range(6)]
    told = [evaluation(float(place), vector) for place, vector in enumerate([*parents, *others])]
    for index in range(4):
        child = own.draw(rng, index, told)
        assert all(index in choices for index, choices in zip(child, zip(*parents, strict=True), strict=True))


def test_evaluations_with_equal_loss_are_ordered_by_their_decisions():
    first, second = evaluation(1.0, (0, 1), generation=5), evaluation(1.0, (1, 0))
    assert min([second, first]) == first


# What strategies with a distribution do beyond that.


@every_distribution
@every_space
def test_distribution_concentrates_on_the_best_choices(name, space):
    own = strategy(name, space)
    progress = search(own, budget=900)
    first, last = progress.diagnostics(POPULATION), progress.diagnostics(900)
    assert last["entropy"] < 0.6 * first["entropy"] and last["max_probability"] > 1.5 * first["max_probability"]
    assert progress.diagnostics(900).keys() == set(own.columns)
    rng = Random(0)
    drawn = sorted(loss(SPACES[space][0].sample(rng)) for _ in range(1000))
    assert progress.conclusion().val_loss < drawn[10]


@every_distribution
@every_space
def test_last_evaluation_is_that_of_the_mode(name, space):
    own = strategy(name, space)
    progress = search(own)
    before = progress.told[:-1]
    own.learn(before)
    mode = tuple(chances.index(max(chances)) for chances in own.probabilities())
    assert progress.told[-1].decisions == mode == own.conclusion(before)
    assert progress.conclusion() == progress.evaluations[SPACES[space][0].canonical(mode)]
    assert progress.best().val_loss == min(map(loss, progress.evaluations))


@every_distribution
def test_mode_above_a_limit_is_replaced_by_the_most_probable_network_told(name):
    costs = COSTS["proxyless"]
    free = search(strategy(name, "proxyless"), budget=400)
    bound = costs.macs(free.told[-1].decisions) - 1
    told = [one for one in free.told if costs.macs(one.decisions) <= bound]
    own = strategy(name, "proxyless", macs=bound)
    own.reset()
    chosen = own.conclusion(told)
    assert costs.macs(chosen) <= bound and chosen in {one.decisions for one in told}


@every_distribution
def test_choices_without_effect_are_told_as_drawn(name):
    """With canonical vectors in their place, index 0 would be rewarded for what it had no part in."""
    space = SPACES["mnasnet"][0]
    told = told_by(strategy(name, "mnasnet"))
    assert any(space.canonical(one.decisions) != one.decisions for one in told)


@every_distribution
@pytest.mark.parametrize("bad", [inf, nan])
def test_broken_networks_are_the_worst(name, bad):
    score = lambda decisions: bad if decisions[0] else loss(decisions)  # noqa: E731
    own = strategy(name, "proxyless")
    progress = search(own, budget=400, score=score)
    assert own.probabilities()[0][0] == max(own.probabilities()[0]) > 0.5
    assert search(own, score=lambda _: bad).told[-1].val_loss == inf
    assert progress.best().decisions[0] == 0


def test_cost_term_of_asng_prefers_small_networks():
    def parameters(epsilon):
        settings = Search(algorithm="asng", epsilon=epsilon)
        own = make_strategy(SPACES["mnasnet"][0], COSTS["mnasnet"], settings)
        return COSTS["mnasnet"].parameters(search(own, budget=400).told[-1].decisions)

    assert parameters(2.0) < parameters(0.0)


def test_costs_of_asng_are_those_of_the_blocks_where_a_block_is_a_decision():
    settings = Search(algorithm="asng", epsilon=1.0)
    own = make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings)
    blocks = zip(SPACES["proxyless"][0].blocks, own.option_costs(), strict=True)
    for index, (block, found) in enumerate(blocks):
        alone = [COSTS["proxyless"].block(index, block.in_widths[0], (i,), "parameters")[1] for i in range(len(found))]
        assert found == pytest.approx(alone)


def test_asng_in_a_space_with_one_decision_is_refused():
    mapping = two_blocks()
    mapping["search_range"]["conv_ops"] = [["SepConv"], ["MBConv"]]
    mapping["search_range"]["kernel_size"] = [[3], [3, 5]]
    mapping["search_range"]["expansion_ratio"] = [[1], [1]]
    space = build(mapping)
    with pytest.raises(InputError) as error:
        check_algorithm("asng", space)
    assert str(error.value).startswith("search.algorithm: asng: made_up.yaml has one decision with a choice, block1;")
    for name in STRATEGIES:
        check_algorithm(name, SPACES["proxyless"][0])
        if name != "asng":
            check_algorithm(name, space)
        if name in PROPOSING and name != "asng":
            assert told_by(make_strategy(space, CostTable(space, 1, 8), Search(algorithm=name, population_size=4)))
