"""What strategies with a distribution do beyond what all must satisfy."""

from math import inf, nan
from random import Random

import pytest
from nasmake.config.search import Search
from nasmake.strategies import make_strategy
from small_searches import COSTS, POPULATION, SPACES, every_distribution, every_space, loss, search, strategy, told_by


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
    before = progress.observed[:-1]
    own.learn(before)
    mode = tuple(chances.index(max(chances)) for chances in own.probabilities())
    assert progress.observed[-1].decisions == mode == own.conclusion(before)
    assert progress.conclusion() == progress.evaluations[SPACES[space][0].canonical(mode)]
    assert progress.best().val_loss == min(map(loss, progress.evaluations))


@every_distribution
def test_mode_above_a_limit_is_replaced_by_the_most_probable_network_told(name):
    costs = COSTS["proxyless"]
    free = search(strategy(name, "proxyless"), budget=400)
    bound = costs.macs(free.observed[-1].decisions) - 1
    observed = [one for one in free.observed if costs.macs(one.decisions) <= bound]
    own = strategy(name, "proxyless", macs=bound)
    own.reset()
    chosen = own.conclusion(observed)
    assert costs.macs(chosen) <= bound and chosen in {one.decisions for one in observed}


@every_distribution
def test_choices_without_effect_are_told_as_drawn(name):
    """With canonical vectors in their place, index 0 would be rewarded for what it had no part in."""
    space = SPACES["mnasnet"][0]
    observed = told_by(strategy(name, "mnasnet"))
    assert any(space.canonical(one.decisions) != one.decisions for one in observed)


@every_distribution
@pytest.mark.parametrize("bad", [inf, nan])
def test_broken_networks_are_the_worst(name, bad):
    score = lambda decisions: bad if decisions[0] else loss(decisions)  # noqa: E731
    own = strategy(name, "proxyless")
    progress = search(own, budget=400, score=score)
    assert own.probabilities()[0][0] == max(own.probabilities()[0]) > 0.5
    assert search(own, score=lambda _: bad).observed[-1].val_loss == inf
    assert progress.best().decisions[0] == 0


def test_cost_term_of_asng_prefers_small_networks():
    def parameters(epsilon):
        settings = Search(algorithm="asng", epsilon=epsilon)
        own = make_strategy(SPACES["mnasnet"][0], COSTS["mnasnet"], settings)
        return COSTS["mnasnet"].parameters(search(own, budget=400).observed[-1].decisions)

    assert parameters(2.0) < parameters(0.0)


def test_costs_of_asng_are_those_of_the_blocks_where_a_block_is_a_decision():
    settings = Search(algorithm="asng", epsilon=1.0)
    own = make_strategy(SPACES["proxyless"][0], COSTS["proxyless"], settings)
    blocks = zip(SPACES["proxyless"][0].blocks, own.option_costs(), strict=True)
    for index, (block, found) in enumerate(blocks):
        alone = [
            COSTS["proxyless"].block(index, block.in_channel_choices[0], (i,), "parameters")[1]
            for i in range(len(found))
        ]
        assert found == pytest.approx(alone)
