"""The objective of a search, and that all strategies minimise it. mnasnet_reward is tested in test_reward.py."""

from math import inf, nan
from random import Random

import numpy as np
import pytest
from nasmake.config.search import Search
from nasmake.core.errors import InputError
from nasmake.costs.table import CostTable
from nasmake.strategies import STRATEGIES, Evaluation, make_strategy
from nasmake.strategies.loop import ProposalLoop
from nasmake.strategies.objective import Objective
from small_searches import PROPOSING
from small_spaces import shipped, table_with_latency

SPACE = shipped("proxyless_digits")
COSTS = table_with_latency(SPACE, 1, 8)
SMALL, LARGE = COSTS.cheapest("macs"), COSTS.costliest("macs")


def rewarded(**reward):
    return Search(objective="mnasnet_reward", reward=reward)


def search(settings, score, budget=160):
    loop = ProposalLoop(make_strategy(SPACE, COSTS, settings), (0, "search"), budget, score)
    for step in range(budget):
        loop.step(step)
    return loop


def test_loss_is_its_own_objective():
    assert Objective(COSTS, Search())(SMALL, 0.7, 0.9) == (0.7, 0.0)


def test_reward_is_that_of_mnasnet_with_its_sign_turned():
    macs = COSTS.macs(LARGE)
    objective = Objective(COSTS, rewarded(target=macs / 2))
    assert objective(LARGE, 0.7, 0.8) == (pytest.approx(-0.8 * 2**-0.07), macs)
    hard = Objective(COSTS, rewarded(target=macs / 2, w_below=0, w_above=-1))
    assert hard(LARGE, 0.7, 0.8)[0] == pytest.approx(-0.4) and hard(SMALL, 0.7, 0.8)[0] == -0.8


def test_target_is_the_limit_where_none_is_given():
    search = Search(objective="mnasnet_reward", reward={"metric": "parameters"}, constraint={"parameters": 5000})
    explicit = rewarded(metric="parameters", target=5000)
    assert Objective(COSTS, search)(SMALL, 0.7, 0.8) == Objective(COSTS, explicit)(SMALL, 0.7, 0.8)
    with pytest.raises(InputError, match=r"^search\.reward\.target is null; expected a number"):
        Objective(COSTS, Search(objective="mnasnet_reward"))


def test_reward_of_a_latency_that_is_not_known_is_refused():
    assert Objective(COSTS, rewarded(metric="latency_ms", target=1))(SMALL, 0.7, 0.8)[0] < 0
    with pytest.raises(InputError, match="no latency table was given"):
        Objective(CostTable(SPACE, 1, 8), rewarded(metric="latency_ms", target=1))


@pytest.mark.parametrize("name", STRATEGIES)
def test_front_with_a_latency_that_is_not_known_is_refused(name):
    with pytest.raises(InputError, match="no latency table was given"):
        make_strategy(SPACE, CostTable(SPACE, 1, 8), Search(algorithm=name, front=["latency_ms"]))


def test_broken_networks_are_equal_and_worse_than_any_other():
    objective = Objective(COSTS, rewarded(target=1e6))
    assert objective(SMALL, inf, 0.1) == objective(LARGE, inf, 0.9) == (inf, 0.0)
    assert objective(LARGE, 9.0, 0.0) < objective(SMALL, inf, 0.9)
    assert str(objective(LARGE, 9.0, 0.0)[0]) == "0.0"


@pytest.mark.parametrize("settings", [Search(), rewarded(target=1e6)], ids=["loss", "reward"])
@pytest.mark.parametrize("loss", [nan, inf, -inf])
def test_loss_that_is_not_finite_makes_a_broken_network(settings, loss):
    broken = Objective(COSTS, settings).evaluation(SMALL, loss, 0.9, generation=3)
    assert broken == Evaluation(inf, 0.0, SMALL, inf, 0.9, 3)


def test_equal_rewards_go_to_the_cheaper_network_then_to_the_decisions():
    evaluations = [
        Evaluation(-0.5, tie, vector, 1.0, 0.5, 0) for tie, vector in [(2.0, (0,)), (1.0, (2,)), (1.0, (1,))]
    ]
    assert [one.decisions for one in sorted(evaluations)] == [(1,), (2,), (0,)]


@pytest.mark.parametrize("name", PROPOSING)
def test_every_strategy_finds_the_highest_observed_reward(name):
    """All networks have the same accuracy, so the cost alone decides the reward. The loss has the opposite order."""
    settings = rewarded(target=COSTS.macs(SMALL)).model_copy(update={"algorithm": name, "population_size": 16})
    loop = search(settings, lambda vector: (1e6 / COSTS.macs(vector), 0.9))
    best = loop.best()
    assert COSTS.macs(best.decisions) == min(map(COSTS.macs, loop.evaluations))
    assert best.objective == -max(0.9 * (COSTS.macs(v) / COSTS.macs(SMALL)) ** -0.07 for v in loop.evaluations)
    drawn = sorted(COSTS.macs(SPACE.sample(Random(seed))) for seed in range(1000))
    if name in ("evolution", "asng", "reinforce"):
        assert COSTS.macs(best.decisions) < drawn[5]


@pytest.mark.parametrize("name", ["evolution", "asng"])
def test_ties_of_the_hard_reward_drive_the_search_to_cheap_networks(name):
    """Up to the target all rewards are equal, and only the tie, the cost, orders the networks."""
    settings = rewarded(target=1e12, w_below=0, w_above=-1).model_copy(update={"algorithm": name})
    loop = search(settings, lambda _: (1.0, 0.9), budget=400)
    assert {one.objective for one in loop.observed} == {-0.9}
    drawn = sorted(COSTS.macs(SPACE.sample(Random(seed))) for seed in range(1000))
    assert COSTS.macs(loop.observed[-1].decisions) < drawn[50]


def test_reinforce_learns_from_the_reward_itself():
    strategy = make_strategy(SPACE, COSTS, Search(algorithm="reinforce"))
    observed = [Evaluation(-0.5, 3.0, SMALL, 9.0, 0.5, 0), Evaluation(inf, 0.0, LARGE, inf, 0.1, 0)]
    assert np.array_equal(strategy.losses(observed), [-0.5, inf])
