"""What every strategy with gates must satisfy, over spaces with one decision per block."""

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


def strategy(name, space, gates="two_path", expected_cost=None, **limits):
    options = {"gates": gates, "architecture_lr": 0.05, "expected_cost": expected_cost or {}}
    return make_strategy(
        SPACES[space][0], COSTS[space], Search(algorithm=name, constraint=Constraint(**limits), **options)
    )


def losses(own):
    """A loss of its own for every option; the smallest is that of option i % C of decision i."""
    rng = np.random.default_rng(7)
    made = [rng.uniform(0.5, 1.5, options) for options in own.categories]
    for place, row in enumerate(made):
        row[place % len(row)] = 0
    return made


def search(own, steps, seed=0, start=0, noise=0.5):
    """Steps on a loss that is the sum of the options' losses; its gate gradients are these, with noise of a batch."""
    table = losses(own)
    for step in range(start, start + steps):
        rng = np.random.default_rng([seed, step])
        gates = own.sample_gates(Random(f"{seed} {step}"))
        of_options = [row[list(options)] for row, options in zip(table, gates.options, strict=True)]
        own.step(gates, [row + noise * rng.normal(size=row.size) for row in of_options], 1.0)
    return own


@every_strategy
@every_way
@every_space
def test_right_options_are_found_without_a_network(name, gates, space):
    own = search(strategy(name, space, gates), 250)
    assert own.mode() == tuple(place % options for place, options in enumerate(own.categories))
    begin = strategy(name, space, gates).state_diagnostics()
    now = own.state_diagnostics()
    assert now["entropy"] < 0.9 * begin["entropy"] and now["max_probability"] > 1.5 * begin["max_probability"]
    assert now.keys() == set(own.columns)


@every_strategy
@every_way
@every_space
def test_begins_uniform_and_stays_a_distribution(name, gates, space):
    own = strategy(name, space, gates)
    assert all(row == pytest.approx([1 / len(row)] * len(row)) for row in own.probabilities())
    for row in search(own, 50).probabilities():
        assert sum(row) == pytest.approx(1) and min(row) > 0


@every_strategy
@every_way
def test_seed_decides(name, gates):
    first, again, other = (search(strategy(name, "digits", gates), 20, seed).state_dict() for seed in (0, 0, 1))
    assert first == again != other


@every_strategy
@every_way
@pytest.mark.parametrize("stop", [0, 1, 17])
def test_resumed_from_its_state_equals_uninterrupted(name, gates, stop):
    whole = search(strategy(name, "digits", gates), 40)
    resumed = strategy(name, "digits", gates)
    resumed.load_state_dict(search(strategy(name, "digits", gates), stop).state_dict())
    assert search(resumed, 40 - stop, start=stop).state_dict() == whole.state_dict()


@every_strategy
@every_way
def test_active_network_is_made_of_options_that_compete(name, gates):
    own = strategy(name, "digits", gates)
    for seed in range(50):
        drawn = own.sample_gates(Random(seed))
        for options, active, count in zip(drawn.options, drawn.active, own.categories, strict=True):
            assert active in options and len({*options}) == len(options) == (2 if gates == "two_path" else count)


@every_strategy
@every_way
@every_space
@pytest.mark.parametrize("metric", METRICS)
def test_active_network_keeps_a_limit_that_hardly_any_keeps(name, gates, space, metric):
    costs = COSTS[space]
    cost = getattr(costs, metric)
    bound = 1.02 * cost(costs.cheapest(metric))
    own = strategy(name, space, gates, **{metric: bound if metric == "latency_ms" else int(bound)})
    drawn = own.sample_gates(Random(0))
    assert cost(drawn.active) <= bound
    for options, active in zip(drawn.options, drawn.active, strict=True):
        assert active in options and len({*options}) == len(options)


@every_strategy
@every_way
def test_only_competing_options_move(name, gates):
    own = strategy(name, "digits", gates)
    drawn, before = own.sample_gates(Random(1)), own.probabilities()
    own.step(drawn, [np.arange(len(options), dtype=float) for options in drawn.options], 1.0)
    for options, old, new in zip(drawn.options, before, own.probabilities(), strict=True):
        others = [option for option in range(len(old)) if option not in options]
        assert [new[option] for option in others] == pytest.approx([old[option] for option in others], abs=1e-12)
        assert new[options[0]] > old[options[0]] and new[options[-1]] < old[options[-1]]


@every_strategy
@every_way
def test_gradients_of_every_decision_sum_to_zero(name, gates, monkeypatch):
    own = strategy(name, "digits", gates, {"loss": "linear", "target": 5e5})
    seen = []
    step = own._adam.step
    monkeypatch.setattr(own._adam, "step", lambda alphas, gradients: seen.append(gradients) or step(alphas, gradients))
    search(own, 20)
    assert len(seen) == 20
    for gradients in seen:
        assert [row.sum() for row in gradients] == pytest.approx([0] * len(gradients), abs=1e-12)
        assert any(row.any() for row in gradients)


@every_strategy
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_batch_moves_nothing(name, bad):
    own = search(strategy(name, "digits"), 5)
    before, drawn = own.state_dict(), own.sample_gates(Random(0))
    own.step(drawn, [np.full(len(options), bad) for options in drawn.options], bad)
    assert own.state_dict() == before


@every_strategy
def test_mode_within_limits_is_the_mode_where_that_keeps_them(name):
    free = search(strategy(name, "digits"), 300)
    assert free.feasible_mode(Random(0)) == free.mode()
    bound = COSTS["digits"].macs(free.mode()) - 1
    limited = strategy(name, "digits", macs=bound)
    limited.load_state_dict(free.state_dict())
    chosen = limited.feasible_mode(Random(0))
    assert limited.mode() == free.mode() != chosen and COSTS["digits"].macs(chosen) <= bound


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in NAMES for key in STRATEGIES[name].reads])
def test_strategy_reads_each_key_that_it_declares(name, key, monkeypatch):
    entry = STRATEGIES[name]
    reads = tuple(declared for declared in entry.reads if declared != key)
    monkeypatch.setitem(STRATEGIES, name, entry._replace(reads=reads))
    with pytest.raises(UndeclaredKeyError, match=f"search strategy {name} reads {key}, which it does not declare"):
        search(strategy(name, "digits", expected_cost={"loss": "linear", "target": 5e5}), 1)


# The loss of expected cost.


@every_strategy
@every_way
@pytest.mark.parametrize("loss", ["linear", "power"])
@pytest.mark.parametrize("metric", METRICS)
def test_cost_loss_lowers_the_expected_cost(name, gates, loss, metric):
    def found(weight):
        target = COSTS["digits"].of(COSTS["digits"].cheapest(metric))[metric]
        chosen = {"loss": loss, "metric": metric, "target": target, "weight": weight}
        own = search(strategy(name, "digits", gates, chosen), 150)
        assert own.weighs_cost
        return own.state_diagnostics()["expected_cost"]

    assert found(50) < 0.9 * found(1e-9)


@every_strategy
def test_without_a_cost_loss_the_expected_cost_is_shown_all_the_same(name):
    own = strategy(name, "digits")
    space, costs = SPACES["digits"][0], COSTS["digits"]
    mean = np.mean([costs.macs(space.sample(Random(seed))) for seed in range(4000)])
    assert own.state_diagnostics()["expected_cost"] == pytest.approx(mean, rel=0.02) and not own.weighs_cost


@every_strategy
@pytest.mark.parametrize(("loss", "metric"), [("linear", "macs"), ("power", "parameters"), ("power", "latency_ms")])
def test_direction_of_all_gates_is_the_gradient_of_the_loss_as_published(name, loss, metric):
    """A first step of Adam has the signs of the gradient; here that of CE + .1 (E - T) / T or CE (log E / log T)^.3."""
    costs, space = COSTS["digits"], SPACES["digits"][0]
    unit = 1000 if metric == "latency_ms" else 1
    target = costs.of(costs.cheapest(metric))[metric]
    own = strategy(name, "digits", "full", {"loss": loss, "metric": metric, "target": target})
    table = [
        [costs.block(i, block.in_channel_choices[0], (j,), metric)[1] * unit for j in range(n)]
        for i, (block, n) in enumerate(zip(space.blocks, own.categories, strict=True))
    ]
    fixed = costs.outside(space.last_channel_choices[0], metric) * unit
    entropies = losses(own)

    def total(alphas):
        chances = [softmax(alpha) for alpha in alphas]
        cost = fixed + sum(float(p @ row) for p, row in zip(chances, map(np.array, table), strict=True))
        entropy = 2 + sum(float((p - 1 / p.size) @ row) for p, row in zip(chances, entropies, strict=True))
        if loss == "linear":
            return entropy + 0.1 * (cost - target * unit) / (target * unit)
        return entropy * (np.log(cost) / np.log(target * unit)) ** 0.3

    alphas = [np.zeros(options) for options in own.categories]
    before = total(alphas)
    slopes = []
    for place, alpha in enumerate(alphas):
        slopes.append([])
        for option in range(alpha.size):
            moved = [row.copy() for row in alphas]
            moved[place][option] += 1e-5
            slopes[-1].append((total(moved) - before) / 1e-5)
    gates = own.sample_gates(Random(0))
    own.step(gates, entropies, 2.0)
    for row, slope in zip(own.probabilities(), slopes, strict=True):
        ordered = np.array(row)[np.argsort(slope)]
        assert (np.diff(ordered) <= 1e-12).all() and ordered[0] > ordered[-1]


@every_strategy
def test_latency_without_a_table_is_refused(name):
    settings = Search(algorithm=name, expected_cost={"metric": "latency_ms"})
    with pytest.raises(InputError, match="no latency table was given"):
        make_strategy(SPACES["digits"][0], CostTable(*SPACES["digits"]), settings)


# Spaces whose options cannot be added up.


@every_strategy
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "every block has 7 decisions"),
        ({"first_mbconv_filter_size": 8}, "block0 may have any of the widths [6, 8]"),
    ],
)
def test_space_without_one_decision_and_width_per_block_is_refused(name, changes, reason):
    with pytest.raises(InputError) as error:
        check_algorithm(name, build(small(**changes)))
    text = str(error.value)
    assert text.startswith(f"search.algorithm: {name}: made_up.yaml: {reason};") and "use asng" in text


@every_strategy
@every_space
def test_spaces_of_this_file_are_not(name, space):
    check_algorithm(name, SPACES[space][0])
    assert isinstance(strategy(name, space), Distribution)
