"""costs/expected.py: expected costs against enumeration of all vectors, and gradients against differences."""

from functools import cache
from itertools import product
from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasmake.costs.expected import ExpectedCost
from nasmake.costs.table import METRICS, CostTable
from small_spaces import SHIPPED, build, made_up, made_up_latency, shipped, small, table_with_latency

every_metric = pytest.mark.parametrize("metric", METRICS)


def drawn(space, rng, sharpness=1.0):
    return [rng.dirichlet(np.full(len(decision.choices), sharpness)) for decision in space.decisions]


def enumerated(cost, probabilities):
    vectors = product(*(range(len(vector)) for vector in probabilities))
    return sum(prod(p[i] for p, i in zip(probabilities, v, strict=True)) * cost(v) for v in vectors)


def certain(space, vector):
    return [np.eye(len(decision.choices))[index] for decision, index in zip(space.decisions, vector, strict=True)]


@cache
def tables(name):
    return table_with_latency(shipped(name), 3, 32)


@every_metric
@settings(deadline=None, max_examples=25)
@given(space=made_up().filter(lambda space: space.size < 3000), seed=st.integers(0, 2**32 - 1))
def test_expectation_is_that_of_enumeration(metric, space, seed):
    costs = table_with_latency(space, 3, 8)
    probabilities = drawn(space, np.random.default_rng(seed))
    value, _ = ExpectedCost(space, costs, metric)(probabilities)
    exact = enumerated(lambda vector: costs.of(vector)[metric], probabilities)
    assert value == pytest.approx(exact, rel=1e-9)


@every_metric
@settings(deadline=None, max_examples=25)
@given(space=made_up(), seed=st.integers(0, 2**32 - 1))
def test_gradient_is_that_of_finite_differences_on_the_simplex(metric, space, seed):
    rng = np.random.default_rng(seed)
    expected = ExpectedCost(space, table_with_latency(space, 3, 8), metric)
    probabilities = drawn(space, rng)
    value, gradients = expected(probabilities)
    for index, vector in enumerate(probabilities):
        direction, step = (
            rng.dirichlet(np.ones(len(vector))) - vector,
            1e-3,
        )  # linear in each decision: any step will do
        changed = [*probabilities[:index], vector + step * direction, *probabilities[index + 1 :]]
        difference = (expected(changed)[0] - value) / step
        assert gradients[index] @ direction == pytest.approx(difference, rel=1e-6, abs=1e-6 * value)


@every_metric
@pytest.mark.parametrize("name", SHIPPED)
def test_certain_decisions_have_the_cost_of_their_network(name, metric):
    space, rng = shipped(name), Random(0)
    expected = ExpectedCost(space, tables(name), metric)
    for vector in [space.sample(rng) for _ in range(5)]:
        value = expected(certain(space, vector))[0]
        assert value == pytest.approx(tables(name).of(vector)[metric], rel=1e-12)


@every_metric
@pytest.mark.parametrize("name", ["proxyless_cifar10", "proxyless_imagenet"])
def test_gradient_of_a_proxyless_space_is_the_table(name, metric):
    space, costs = shipped(name), tables(name)
    probabilities = drawn(space, np.random.default_rng(0))
    value, gradients = ExpectedCost(space, costs, metric)(probabilities)
    for index, block in enumerate(space.blocks):
        (channels,), choices = block.in_channel_choices, range(len(space.decisions[index].choices))
        table = [costs.block(index, channels, (j,), metric)[1] for j in choices]
        assert gradients[index].tolist() == table
    linear = sum(vector @ gradient for vector, gradient in zip(probabilities, gradients, strict=True))
    assert value == pytest.approx(linear + costs.outside(space.last_channel_choices[0], metric), rel=1e-12)


def test_a_choice_without_effect_has_the_gradient_of_its_twin():
    space = build(small(conv_ops=["SepConv"]))
    _, gradients = ExpectedCost(space, CostTable(space, 1, 8), "macs")(drawn(space, np.random.default_rng(0)))
    for decision, gradient in zip(space.decisions, gradients, strict=True):
        if decision.name.endswith("expand_ratio"):
            assert gradient[0] == pytest.approx(gradient[1])


def test_a_wider_block_is_charged_for_the_blocks_that_follow():
    """Of two choices with equal block costs, the one that makes the next block costlier has the larger derivative."""
    space = build(small(filter_size_search_ratio=[1.0, 2.0], conv_ops=["SepConv"]))
    costs = CostTable(space, 1, 8, dict.fromkeys(made_up_latency(space, 1, 8), 1000) | costly(space))
    uniform = [np.full(len(decision.choices), 1 / len(decision.choices)) for decision in space.decisions]
    _, gradients = ExpectedCost(space, costs, "latency_ms")(uniform)
    names = [decision.name for decision in space.decisions]
    narrow, wide = gradients[names.index("block0.width")]
    assert wide > narrow


def costly(space):
    return {key: 9000 for key in made_up_latency(space, 1, 8) if "_i16_" in key}
