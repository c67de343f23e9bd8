"""The update rule of ProxylessNAS. ProxylessSearch is tested in tests/conformance/test_gate_strategies.py."""

import json
from itertools import permutations
from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nasmake.strategies.proxyless import (
    Adam,
    expected_cost,
    gate_gradient,
    linear_loss,
    power_loss,
    sample_two_paths,
    softmax,
    two_path_rescale,
)

numbers = st.lists(st.floats(-5, 5), min_size=2, max_size=8)


def slope(function, at, step=1e-5):
    """Central differences of a scalar function of an array."""
    at = np.asarray(at, dtype=float)
    steps = step * np.eye(at.size)
    return np.array([(function(at + change) - function(at - change)) / (2 * step) for change in steps])


@pytest.mark.parametrize("options", [1, 2, 3, 7])
def test_gate_gradient_of_a_loss_that_is_linear_in_the_gates(options):
    """L(g) = sum_j g_j L_j has the gate gradients L_j and, over one-hot gates, the expectation sum_j p_j L_j."""
    rng = np.random.default_rng(options)
    alpha, gate_grads = rng.normal(size=options), rng.normal(size=options)
    assert gate_gradient(alpha, gate_grads) == pytest.approx(
        slope(lambda moved: softmax(moved) @ gate_grads, alpha), abs=1e-9
    )


def test_gate_gradient_with_all_gates_of_several_decisions():
    """For any function of one-hot gates, the gate gradients of a decision are the expectations given its options."""
    rng = np.random.default_rng(0)
    losses, alphas = rng.normal(size=(3, 4, 2)), [rng.normal(size=options) for options in (3, 4, 2)]

    def expectation(*moved):
        return np.einsum("abc,a,b,c->", losses, *map(softmax, moved))

    given_options = [
        np.einsum("abc,b,c->a", losses, softmax(alphas[1]), softmax(alphas[2])),
        np.einsum("abc,a,c->b", losses, softmax(alphas[0]), softmax(alphas[2])),
        np.einsum("abc,a,b->c", losses, softmax(alphas[0]), softmax(alphas[1])),
    ]
    for decision, gate_grads in enumerate(given_options):
        expected = slope(lambda moved, i=decision: expectation(*alphas[:i], moved, *alphas[i + 1 :]), alphas[decision])
        assert gate_gradient(alphas[decision], gate_grads) == pytest.approx(expected, abs=1e-9)


def test_gate_gradient_equals_the_sum_as_written():
    rng = np.random.default_rng(1)
    alpha, gate_grads = rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    p = np.exp(alpha) / np.exp(alpha).sum(axis=1, keepdims=True)
    written = [
        [sum(gate_grads[d, j] * p[d, j] * ((i == j) - p[d, i]) for j in range(5)) for i in range(5)] for d in (0, 1)
    ]
    assert gate_gradient(alpha, gate_grads) == pytest.approx(np.array(written), abs=1e-14)


@given(numbers, st.integers(0, 1000))
def test_gate_gradients_of_a_decision_sum_to_zero(alpha, seed):
    gradient = gate_gradient(alpha, np.random.default_rng(seed).normal(size=len(alpha)))
    assert gradient.sum() == pytest.approx(0, abs=1e-12)


def test_probabilities_of_large_alphas():
    assert softmax([1000.0, 1000.0, -1000.0]).tolist() == [0.5, 0.5, 0]


def test_pairs_are_drawn_without_replacement_and_the_active_one_by_their_odds():
    alpha = np.array([0.5, -1.0, 1.0, 0.0])
    p = np.exp(alpha) / np.exp(alpha).sum()
    rng, number = np.random.default_rng(0), 20_000
    drawn = [sample_two_paths(alpha, rng) for _ in range(number)]
    for first, second in permutations(range(4), 2):
        chance = p[first] * p[second] / (1 - p[first]) + p[second] * p[first] / (1 - p[second])
        active = [option for pair, option in drawn if {*pair} == {first, second}]
        odds = p[first] / (p[first] + p[second])
        assert len(active) / number == pytest.approx(chance, abs=0.015)
        assert {*active} <= {first, second}
        assert np.mean([option == first for option in active]) == pytest.approx(odds, abs=0.04)


def test_pairs_are_decided_by_the_generator_and_need_two_options():
    alpha = np.zeros(6)

    def draws(seed):
        rng = np.random.default_rng(seed)
        return [sample_two_paths(alpha, rng) for _ in range(9)]

    assert draws(0) == draws(0) != draws(1)
    with pytest.raises(ValueError, match="larger"):
        sample_two_paths([0.3], np.random.default_rng(0))


@given(numbers, st.data())
def test_two_paths_leave_the_other_probabilities_where_they_were(old, data):
    pair = data.draw(st.permutations(range(len(old))))[:2]
    new = np.array(old)
    new[pair] += data.draw(st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
    rescaled = two_path_rescale(old, new, pair)
    others = [option for option in range(len(old)) if option not in pair]
    assert softmax(rescaled)[others] == pytest.approx(softmax(old)[others], abs=1e-12)
    assert rescaled[others].tolist() == np.array(old)[others].tolist()
    assert rescaled[pair[0]] - rescaled[pair[1]] == pytest.approx(new[pair[0]] - new[pair[1]], abs=1e-12)
    shift = -log(sum(exp(new[option]) for option in pair) / sum(exp(old[option]) for option in pair))
    assert rescaled[pair] == pytest.approx(new[pair] + shift, abs=1e-12)


def test_a_two_path_step_moves_probability_within_the_pair_only():
    alpha, pair = np.array([0.1, 0.4, -0.2, 0.0]), [1, 3]
    gradient = np.zeros(4)
    gradient[pair] = gate_gradient(alpha[pair], [2.0, -1.0])
    (moved,) = Adam([4], learning_rate=0.1).step([alpha], [gradient])
    before, after = softmax(alpha), softmax(two_path_rescale(alpha, moved, pair))
    assert after[[0, 2]] == pytest.approx(before[[0, 2]], abs=1e-15)
    assert after[1] < before[1] and after[3] > before[3]


def test_expected_cost_is_exact_and_its_gradient_is_the_table():
    probabilities, table = [[0.25, 0.75], [0.5, 0.0, 0.5]], [[8.0, 4.0], [1.0, 100.0, 3.0]]
    assert expected_cost(probabilities, table) == 5.0 + 2.0
    for decision, costs in enumerate(table):

        def cost(moved, i=decision):
            return expected_cost([*probabilities[:i], moved, *probabilities[i + 1 :]], table)

        assert slope(cost, probabilities[decision]) == pytest.approx(np.array(costs), abs=1e-8)


def test_expected_cost_by_alpha():
    alpha, costs = np.array([0.3, -0.5, 1.0]), [3.0, 1.0, 7.0]
    numeric = slope(lambda moved: expected_cost([softmax(moved)], [costs]), alpha)
    assert gate_gradient(alpha, costs) == pytest.approx(numeric, abs=1e-8)


def test_expected_cost_needs_a_table_for_every_decision():
    with pytest.raises(ValueError, match="shorter"):
        expected_cost([[1.0], [1.0]], [[2.0]])


@pytest.mark.parametrize(
    "loss",
    [
        lambda ce, cost: power_loss(ce, cost, 80.0),
        lambda ce, cost: power_loss(ce, cost, 80.0, alpha_r=0.5, beta_r=0.6),
        lambda ce, cost: linear_loss(ce, cost, 80.0),
    ],
    ids=["power", "other power", "linear"],
)
@pytest.mark.parametrize("at", [(1.3, 50.0), (0.4, 80.0), (2.0, 200.0)])
def test_derivatives_of_the_losses(loss, at):
    exact = loss(*at)
    numeric = slope(lambda moved: loss(*moved).value, at, 1e-4)
    assert (exact.by_cross_entropy, exact.by_cost) == pytest.approx(tuple(numeric), rel=1e-6)
    assert exact.by_cost > 0


def test_values_of_the_losses():
    assert power_loss(1.5, 80.0, 80.0).value == pytest.approx(0.2 * 1.5)
    assert power_loss(1.5, 80.0**2, 80.0).value == pytest.approx(0.2 * 1.5 * 2**0.3)
    assert linear_loss(1.5, 120.0, 80.0).value == pytest.approx(1.5 + 0.1 * 0.5)


@pytest.mark.parametrize(("cost", "target"), [(1.0, 80.0), (0.02, 0.08), (50.0, 1.0)])
def test_power_loss_needs_positive_logarithms(cost, target):
    with pytest.raises(ValueError, match="expected both above 1"):
        power_loss(1.0, cost, target)


@pytest.mark.parametrize("betas", [(0.0, 0.999), (0.9, 0.99)])
def test_adam_is_that_of_torch_also_where_a_gradient_is_missing(betas):
    rng = np.random.default_rng(0)
    alphas = [rng.normal(size=options) for options in (3, 5)]
    theirs = [torch.nn.Parameter(torch.tensor(alpha)) for alpha in alphas]
    adam, other = Adam([3, 5], betas=betas), torch.optim.Adam(theirs, lr=1e-3, betas=betas, eps=1e-8)
    for step in range(30):
        gradients = [rng.normal(size=3), None if step % 3 == 1 else rng.normal(size=5)]
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = None if gradient is None else torch.tensor(gradient)
        other.step()
        alphas = adam.step(alphas, gradients)
        for alpha, parameter in zip(alphas, theirs, strict=True):
            assert alpha == pytest.approx(parameter.detach().numpy(), abs=1e-12)


def test_adam_without_a_gradient_keeps_value_and_state():
    adam, alphas = Adam([2, 2]), [np.zeros(2), np.zeros(2)]
    alphas = adam.step(alphas, [np.array([1.0, -2.0])] * 2)
    before = adam.state_dict()
    after = adam.step(alphas, [None, np.zeros(2)])
    assert [alpha.tolist() for alpha in after] == [alpha.tolist() for alpha in alphas]
    state = adam.state_dict()
    assert [state[name][0] for name in state] == [before[name][0] for name in before]
    assert state["squares"][1] != before["squares"][1] and state["steps"] == [1, 2]


def test_adam_resumed_equals_uninterrupted():
    def advance(adam, alphas, steps):
        for step in steps:
            rng = np.random.default_rng(step)
            alphas = adam.step(alphas, [rng.normal(size=2), rng.normal(size=3) if step % 2 else None])
        return alphas

    start, whole, first, resumed = [np.zeros(2), np.zeros(3)], Adam([2, 3]), Adam([2, 3]), Adam([2, 3])
    alphas = advance(first, start, range(7))
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    ends = advance(whole, start, range(20)), advance(resumed, alphas, range(7, 20))
    assert [alpha.tolist() for alpha in ends[0]] == [alpha.tolist() for alpha in ends[1]]
    assert whole.state_dict() == resumed.state_dict()
