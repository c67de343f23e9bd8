"""Tests of every strategy with a distribution, beyond the tests of all strategies, and of the cost term of asng."""

from math import inf, nan
from random import Random

import pytest
from nasmake.config.search import Search
from nasmake.strategies import make_strategy
from small_searches import (
    COSTS,
    POPULATION,
    SPACES,
    every_distribution,
    every_space,
    loss,
    new_strategy,
    observed_by,
    search,
)


@every_distribution
@every_space
def test_distribution_concentrates_on_the_best_choices(name, space):
    strategy = new_strategy(name, space)
    loop = search(strategy, budget=900)
    first, last = loop.diagnostics(POPULATION), loop.diagnostics(900)
    assert last["entropy"] < 0.6 * first["entropy"] and last["max_probability"] > 1.5 * first["max_probability"]
    assert loop.diagnostics(900).keys() == set(strategy.columns)
    rng = Random(0)
    drawn = sorted(loss(SPACES[space][0].sample(rng)) for _ in range(1000))
    assert loop.conclusion().val_loss < drawn[10]


@every_distribution
@every_space
def test_last_evaluation_is_that_of_the_mode(name, space):
    strategy = new_strategy(name, space)
    loop = search(strategy)
    before = loop.observed[:-1]
    strategy.learn(before)
    mode = tuple(chances.index(max(chances)) for chances in strategy.probabilities())
    assert loop.observed[-1].decisions == mode == strategy.conclusion(before)
    assert loop.conclusion() == loop.evaluations[SPACES[space][0].canonical(mode)]
    assert loop.best().val_loss == min(map(loss, loop.evaluations))


@every_distribution
def test_mode_above_a_limit_is_replaced_by_the_most_probable_observed_network(name):
    costs = COSTS["proxyless"]
    free = search(new_strategy(name, "proxyless"), budget=400)
    bound = costs.macs(free.observed[-1].decisions) - 1
    observed = [one for one in free.observed if costs.macs(one.decisions) <= bound]
    strategy = new_strategy(name, "proxyless", macs=bound)
    strategy.reset()
    concluded = strategy.conclusion(observed)
    assert costs.macs(concluded) <= bound and concluded in {one.decisions for one in observed}


@every_distribution
def test_options_without_effect_are_recorded_as_drawn(name):
    """With canonical vectors, index 0 would be rewarded for networks that it has no effect on."""
    space = SPACES["mnasnet"][0]
    observed = observed_by(new_strategy(name, "mnasnet"))
    assert any(space.canonical(one.decisions) != one.decisions for one in observed)


@every_distribution
@pytest.mark.parametrize("bad", [inf, nan])
def test_broken_networks_are_the_worst(name, bad):
    score = lambda decisions: bad if decisions[0] else loss(decisions)  # noqa: E731
    strategy = new_strategy(name, "proxyless")
    loop = search(strategy, budget=400, score=score)
    assert strategy.probabilities()[0][0] == max(strategy.probabilities()[0]) > 0.5
    assert search(strategy, score=lambda _: bad).observed[-1].val_loss == inf
    assert loop.best().decisions[0] == 0


def test_cost_term_of_asng_prefers_small_networks():
    def parameters(epsilon):
        settings = Search(algorithm="asng", epsilon=epsilon)
        strategy = make_strategy(SPACES["mnasnet"][0], COSTS["mnasnet"], settings)
        return COSTS["mnasnet"].of(search(strategy, budget=400).observed[-1].decisions)["parameters"]

    assert parameters(2.0) < parameters(0.0)


def test_costs_of_asng_are_those_of_the_blocks_where_a_block_is_a_decision():
    settings = Search(algorithm="asng", epsilon=1.0)
    strategy = make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings)
    blocks = zip(SPACES["proxyless"][0].blocks, strategy.option_costs(), strict=True)
    for index, (block, option_costs) in enumerate(blocks):
        alone = [
            COSTS["proxyless"].block(index, block.in_channel_choices[0], (i,), "parameters")[1]
            for i in range(len(option_costs))
        ]
        assert option_costs == pytest.approx(alone)
