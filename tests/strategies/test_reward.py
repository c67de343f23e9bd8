"""The reward of MnasNet as a function; how searches use it is tested in test_objective.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasmake.strategies.objective import mnasnet_reward, reward_ranks

accuracies = st.floats(0.01, 1)
costs = st.floats(1, 1000)
SOFT = (-0.07, -0.07)  # exponents (w_below, w_above)
HARD = (0.0, -1.0)
both = pytest.mark.parametrize("exponents", [SOFT, HARD], ids=["soft", "hard"])


def test_soft_reward_pays_doubled_cost_with_five_percent_of_accuracy():
    assert mnasnet_reward(0.75, 160.0, 80.0) == pytest.approx(0.75 * 2**-0.07)
    assert mnasnet_reward(0.75, 40.0, 80.0) == pytest.approx(0.75 * 2**0.07)
    assert mnasnet_reward(0.75 * 1.05, 160.0, 80.0) == pytest.approx(mnasnet_reward(0.75, 80.0, 80.0), rel=1e-3)


def test_hard_reward_counts_what_is_above_the_target_only():
    rewards = mnasnet_reward([0.75, 0.75, 0.75, 0.75], [10.0, 80.0, 160.0, 240.0], 80.0, *HARD)
    assert rewards.tolist() == [0.75, 0.75, 0.375, 0.25]


@both
@given(accuracies, accuracies, costs)
def test_more_accuracy_is_never_worse(exponents, first, second, cost):
    low, high = mnasnet_reward(sorted([first, second]), cost, 80.0, *exponents)
    assert low <= high


@both
@given(accuracies, costs, costs)
def test_less_cost_is_never_worse(exponents, accuracy, first, second):
    high, low = mnasnet_reward(accuracy, sorted([first, second]), 80.0, *exponents)
    assert low <= high * (1 + 1e-12)


@both
def test_reward_is_continuous_at_the_target(exponents):
    below, at, above = mnasnet_reward(0.5, [80 - 1e-9, 80.0, 80 + 1e-9], 80.0, *exponents)
    assert at == 0.5 and below == pytest.approx(at) == above


@pytest.mark.parametrize("exponents", [(0.07, -0.07), (-0.07, 0.07)])
def test_exponents_that_reward_cost_are_refused(exponents):
    with pytest.raises(ValueError, match=r"w_below is .* and w_above is .*; expected 0 or less"):
        mnasnet_reward(0.5, 10.0, 80.0, *exponents)


def test_equal_rewards_are_ranked_by_cost():
    accuracy, cost = [0.5, 0.5, 0.6, 0.9, 0.5], [70.0, 60.0, 75.0, 160.0, 60.0]
    reward = mnasnet_reward(accuracy, cost, 80.0, *HARD)
    assert reward_ranks(reward, cost).tolist() == [2, 1, 0, 3, 1]


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([1.0, 2.0, 3.0])), min_size=1))
def test_ranks_order_as_pairs_do(candidates):
    reward, cost = np.array(candidates).T
    keys = [(-accuracy, spent) for accuracy, spent in candidates]
    assert reward_ranks(reward, cost).tolist() == [sorted(set(keys)).index(key) for key in keys]
