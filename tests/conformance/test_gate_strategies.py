"""Tests of every strategy with gates, on spaces with one decision per block."""

from random import Random

import numpy as np
import pytest
from nasmake.config.search import Constraint, Search
from nasmake.core.declared import UndeclaredKeyError
from nasmake.core.errors import InputError
from nasmake.costs.table import METRICS, CostTable
from nasmake.strategies import STRATEGIES, make_strategy, strategy_of
from nasmake.strategies.constraints import check_algorithm
from nasmake.strategies.distribution import Distribution
from nasmake.strategies.proxyless import ProxylessSearch, softmax
from small_spaces import build, shipped, small, table_with_latency

NAMES = [name for name in STRATEGIES if issubclass(strategy_of(name), ProxylessSearch)]
every_strategy = pytest.mark.parametrize("name", NAMES)
every_way = pytest.mark.parametrize("gates", ["two_path", "full"])
ONE_WIDTH = {"first_mbconv_filter_size": 8, "filter_size_search_ratio": [1.0], "layer_search_range": [-1, 0]}
SPACES = {
    "digits": (shipped("proxyless_digits"), 1, 8),
    "layers": (build(small(**ONE_WIDTH, base_layer_num=[2, 2, 2], conv_ops=["Zero", "MBConv"])), 3, 16),
}
every_space = pytest.mark.parametrize("space", SPACES)
COSTS = {name: table_with_latency(*facts) for name, facts in SPACES.items()}


def new_strategy(name, space, gates="two_path", expected_cost=None, **limits):
    options = {"gates": gates, "architecture_lr": 0.05, "expected_cost": expected_cost or {}}
    return make_strategy(
        SPACES[space][0], COSTS[space], Search(algorithm=name, constraint=Constraint(**limits), **options)
    )


def losses(strategy):
    """Return a random loss for every option. Option i % C of decision i has the smallest loss, 0."""
    rng = np.random.default_rng(7)
    table = [rng.uniform(0.5, 1.5, options) for options in strategy.categories]
    for position, row in enumerate(table):
        row[position % len(row)] = 0
    return table


def search(strategy, steps, seed=0, start=0, noise=0.5):
    """Take steps on the sum of the options' losses. The gate gradients are these losses plus noise, as of a batch."""
    table = losses(strategy)
    for step in range(start, start + steps):
        rng = np.random.default_rng([seed, step])
        gates = strategy.sample_gates(Random(f"{seed} {step}"))
        of_options = [row[list(options)] for row, options in zip(table, gates.options, strict=True)]
        strategy.step(gates, [row + noise * rng.normal(size=row.size) for row in of_options], 1.0)
    return strategy


@every_strategy
@every_way
@every_space
def test_options_with_the_smallest_loss_are_found(name, gates, space):
    strategy = search(new_strategy(name, space, gates), 250)
    assert strategy.mode() == tuple(position % options for position, options in enumerate(strategy.categories))
    begin = new_strategy(name, space, gates).state_diagnostics()
    now = strategy.state_diagnostics()
    assert now["entropy"] < 0.9 * begin["entropy"] and now["max_probability"] > 1.5 * begin["max_probability"]
    assert now.keys() == set(strategy.columns)


@every_strategy
@every_way
@every_space
def test_begins_uniform_and_stays_a_distribution(name, gates, space):
    strategy = new_strategy(name, space, gates)
    assert all(row == pytest.approx([1 / len(row)] * len(row)) for row in strategy.probabilities())
    for row in search(strategy, 50).probabilities():
        assert sum(row) == pytest.approx(1) and min(row) > 0


@every_strategy
@every_way
def test_seed_decides(name, gates):
    first, again, other = (search(new_strategy(name, "digits", gates), 20, seed).state_dict() for seed in (0, 0, 1))
    assert first == again != other


@every_strategy
@every_way
@pytest.mark.parametrize("stop", [0, 1, 17])
def test_resumed_from_its_state_equals_uninterrupted(name, gates, stop):
    whole = search(new_strategy(name, "digits", gates), 40)
    resumed = new_strategy(name, "digits", gates)
    resumed.load_state_dict(search(new_strategy(name, "digits", gates), stop).state_dict())
    assert search(resumed, 40 - stop, start=stop).state_dict() == whole.state_dict()


@every_strategy
@every_way
def test_active_network_is_made_of_options_that_compete(name, gates):
    strategy = new_strategy(name, "digits", gates)
    for seed in range(50):
        drawn = strategy.sample_gates(Random(seed))
        for options, active, count in zip(drawn.options, drawn.active, strategy.categories, strict=True):
            assert active in options and len({*options}) == len(options) == (2 if gates == "two_path" else count)


@every_strategy
@every_way
@every_space
@pytest.mark.parametrize("metric", METRICS)
def test_active_network_keeps_a_limit_that_hardly_any_keeps(name, gates, space, metric):
    costs = COSTS[space]

    def cost(decisions):
        return costs.of(decisions)[metric]

    bound = 1.02 * cost(costs.cheapest(metric))
    strategy = new_strategy(name, space, gates, **{metric: bound if metric == "latency_ms" else int(bound)})
    drawn = strategy.sample_gates(Random(0))
    assert costs.of(drawn.active)[metric] <= bound
    for options, active in zip(drawn.options, drawn.active, strict=True):
        assert active in options and len({*options}) == len(options)


@every_strategy
@every_way
def test_only_competing_options_move(name, gates):
    strategy = new_strategy(name, "digits", gates)
    drawn, before = strategy.sample_gates(Random(1)), strategy.probabilities()
    strategy.step(drawn, [np.arange(len(options), dtype=float) for options in drawn.options], 1.0)
    for options, old, new in zip(drawn.options, before, strategy.probabilities(), strict=True):
        others = [option for option in range(len(old)) if option not in options]
        assert [new[option] for option in others] == pytest.approx([old[option] for option in others], abs=1e-12)
        assert new[options[0]] > old[options[0]] and new[options[-1]] < old[options[-1]]


@every_strategy
@every_way
def test_gradients_of_every_decision_sum_to_zero(name, gates, monkeypatch):
    strategy = new_strategy(name, "digits", gates, {"loss": "linear", "target": 5e5})
    seen = []
    step = strategy._adam.step
    monkeypatch.setattr(
        strategy._adam, "step", lambda alphas, gradients: seen.append(gradients) or step(alphas, gradients)
    )
    search(strategy, 20)
    assert len(seen) == 20
    for gradients in seen:
        assert [row.sum() for row in gradients] == pytest.approx([0] * len(gradients), abs=1e-12)
        assert any(row.any() for row in gradients)


@every_strategy
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_batch_moves_nothing(name, bad):
    strategy = search(new_strategy(name, "digits"), 5)
    before, drawn = strategy.state_dict(), strategy.sample_gates(Random(0))
    strategy.step(drawn, [np.full(len(options), bad) for options in drawn.options], bad)
    assert strategy.state_dict() == before


@every_strategy
def test_mode_within_limits_is_the_mode_where_that_keeps_them(name):
    free = search(new_strategy(name, "digits"), 300)
    assert free.feasible_mode(Random(0)) == free.mode()
    bound = COSTS["digits"].macs(free.mode()) - 1
    limited = new_strategy(name, "digits", macs=bound)
    limited.load_state_dict(free.state_dict())
    network = limited.feasible_mode(Random(0))
    assert limited.mode() == free.mode() != network and COSTS["digits"].macs(network) <= bound


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in NAMES for key in STRATEGIES[name].reads])
def test_strategy_reads_each_key_that_it_declares(name, key, monkeypatch):
    entry = STRATEGIES[name]
    reads = tuple(declared for declared in entry.reads if declared != key)
    monkeypatch.setitem(STRATEGIES, name, entry._replace(reads=reads))
    with pytest.raises(UndeclaredKeyError, match=f"search strategy {name} reads {key}, which it does not declare"):
        search(new_strategy(name, "digits", expected_cost={"loss": "linear", "target": 5e5}), 1)


# The loss of expected cost.


@every_strategy
@every_way
@pytest.mark.parametrize("loss", ["linear", "power"])
@pytest.mark.parametrize("metric", METRICS)
def test_cost_loss_lowers_the_expected_cost(name, gates, loss, metric):
    def cost_after(weight):
        target = COSTS["digits"].of(COSTS["digits"].cheapest(metric))[metric]
        expected_cost = {"loss": loss, "metric": metric, "target": target, "weight": weight}
        strategy = search(new_strategy(name, "digits", gates, expected_cost), 150)
        assert strategy.weighs_cost
        return strategy.state_diagnostics()["expected_cost"]

    assert cost_after(50) < 0.9 * cost_after(1e-9)


@every_strategy
def test_without_a_cost_loss_the_diagnostics_have_the_expected_cost_too(name):
    strategy = new_strategy(name, "digits")
    space, costs = SPACES["digits"][0], COSTS["digits"]
    mean = np.mean([costs.macs(space.sample(Random(seed))) for seed in range(4000)])
    assert strategy.state_diagnostics()["expected_cost"] == pytest.approx(mean, rel=0.02) and not strategy.weighs_cost


@every_strategy
@pytest.mark.parametrize(("loss", "metric"), [("linear", "macs"), ("power", "parameters"), ("power", "latency_ms")])
def test_direction_of_all_gates_is_the_gradient_of_the_loss_as_published(name, loss, metric):
    """The first step of Adam has the signs of the gradient of CE + .1 (E - T) / T or CE (log E / log T)^.3."""
    costs, space = COSTS["digits"], SPACES["digits"][0]
    unit = 1000 if metric == "latency_ms" else 1
    target = costs.of(costs.cheapest(metric))[metric]
    strategy = new_strategy(name, "digits", "full", {"loss": loss, "metric": metric, "target": target})
    table = [
        [costs.block(i, block.in_channel_choices[0], (j,), metric)[1] * unit for j in range(n)]
        for i, (block, n) in enumerate(zip(space.blocks, strategy.categories, strict=True))
    ]
    fixed = costs.outside(space.last_channel_choices[0], metric) * unit
    entropies = losses(strategy)

    def total(alphas):
        chances = [softmax(alpha) for alpha in alphas]
        cost = fixed + sum(float(p @ row) for p, row in zip(chances, map(np.array, table), strict=True))
        entropy = 2 + sum(float((p - 1 / p.size) @ row) for p, row in zip(chances, entropies, strict=True))
        if loss == "linear":
            return entropy + 0.1 * (cost - target * unit) / (target * unit)
        return entropy * (np.log(cost) / np.log(target * unit)) ** 0.3

    alphas = [np.zeros(options) for options in strategy.categories]
    before = total(alphas)
    slopes = []
    for position, alpha in enumerate(alphas):
        slopes.append([])
        for option in range(alpha.size):
            moved = [row.copy() for row in alphas]
            moved[position][option] += 1e-5
            slopes[-1].append((total(moved) - before) / 1e-5)
    gates = strategy.sample_gates(Random(0))
    strategy.step(gates, entropies, 2.0)
    for row, slope in zip(strategy.probabilities(), slopes, strict=True):
        ordered = np.array(row)[np.argsort(slope)]
        assert (np.diff(ordered) <= 1e-12).all() and ordered[0] > ordered[-1]


@every_strategy
def test_latency_without_a_table_is_refused(name):
    settings = Search(algorithm=name, expected_cost={"metric": "latency_ms"})
    with pytest.raises(InputError, match="no latency table was given"):
        make_strategy(SPACES["digits"][0], CostTable(*SPACES["digits"]), settings)


# Spaces in which the outputs of a block's options cannot be added up.


@every_strategy
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "every block has 7 decisions"),
        ({"first_mbconv_filter_size": 8}, "block0 may have widths 6, 8"),
    ],
)
def test_space_without_one_decision_and_width_per_block_is_refused(name, changes, reason):
    with pytest.raises(InputError) as error:
        check_algorithm(name, build(small(**changes)))
    text = str(error.value)
    assert text.startswith(f"search.algorithm is {name}; expected asng, reinforce or evolution, or a proxyless space")
    assert text.endswith(f"one width per block: made_up.yaml: {reason}")


@every_strategy
@every_space
def test_spaces_with_one_decision_and_width_per_block_are_accepted(name, space):
    check_algorithm(name, SPACES[space][0])
    assert isinstance(new_strategy(name, space), Distribution)
