"""Expected costs against enumeration of all vectors, and gradients against differences."""

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


def enumerated(space, cost, probabilities):
    vectors = product(*(range(len(own)) for own in probabilities))
    return sum(prod(own[i] for own, i in zip(probabilities, v, strict=True)) * cost(v) for v in vectors)


def certain(space, vector):
    return [np.eye(len(own.choices))[index] for own, index in zip(space.decisions, vector, strict=True)]


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
    cost = getattr(costs, metric)
    assert value == pytest.approx(enumerated(space, cost, probabilities), rel=1e-9)


@every_metric
@settings(deadline=None, max_examples=25)
@given(space=made_up(), seed=st.integers(0, 2**32 - 1))
def test_gradient_is_that_of_finite_differences_on_the_simplex(metric, space, seed):
    rng = np.random.default_rng(seed)
    expected = ExpectedCost(space, table_with_latency(space, 3, 8), metric)
    probabilities = drawn(space, rng)
    value, gradients = expected(probabilities)
    for place, own in enumerate(probabilities):
        direction, step = rng.dirichlet(np.ones(len(own))) - own, 1e-3  # the expectation is linear in one decision
        changed = [*probabilities[:place], own + step * direction, *probabilities[place + 1 :]]
        difference = (expected(changed)[0] - value) / step
        assert gradients[place] @ direction == pytest.approx(difference, rel=1e-6, abs=1e-6 * value)


@every_metric
@pytest.mark.parametrize("name", SHIPPED)
def test_certain_decisions_have_the_cost_of_their_network(name, metric):
    space, rng = shipped(name), Random(0)
    expected = ExpectedCost(space, tables(name), metric)
    for vector in [space.sample(rng) for _ in range(5)]:
        value = expected(certain(space, vector))[0]
        assert value == pytest.approx(getattr(tables(name), metric)(vector), rel=1e-12)


@every_metric
@pytest.mark.parametrize("name", ["proxyless_cifar10", "proxyless_imagenet"])
def test_gradient_of_a_proxyless_space_is_the_table(name, metric):
    space, costs = shipped(name), tables(name)
    probabilities = drawn(space, np.random.default_rng(0))
    value, gradients = ExpectedCost(space, costs, metric)(probabilities)
    widths = [block.in_channel_choices[0] for block in space.blocks]
    for index, width in enumerate(widths):
        table = [costs.block(index, width, (j,), metric)[1] for j in range(len(space.decisions[index].choices))]
        assert gradients[index].tolist() == table
    linear = sum(own @ gradient for own, gradient in zip(probabilities, gradients, strict=True))
    assert value == pytest.approx(linear + costs.outside(space.last_channel_choices[0], metric), rel=1e-12)


def test_a_choice_without_effect_has_the_gradient_of_its_twin():
    space = build(small(conv_ops=["SepConv"]))
    _, gradients = ExpectedCost(space, CostTable(space, 1, 8), "macs")(drawn(space, np.random.default_rng(0)))
    for decision, gradient in zip(space.decisions, gradients, strict=True):
        if decision.name.endswith("expand_ratio"):
            assert gradient[0] == pytest.approx(gradient[1])


def test_a_wider_block_is_charged_for_what_follows():
    """Of two choices with equal costs of their own, the one whose width makes the next block dearer has more."""
    space = build(small(filter_size_search_ratio=[1.0, 2.0], conv_ops=["SepConv"]))
    costs = CostTable(space, 1, 8, dict.fromkeys(made_up_latency(space, 1, 8), 1000) | dear(space))
    uniform = [np.full(len(own.choices), 1 / len(own.choices)) for own in space.decisions]
    _, gradients = ExpectedCost(space, costs, "latency_ms")(uniform)
    names = [decision.name for decision in space.decisions]
    narrow, wide = gradients[names.index("block0.width")]
    assert wide > narrow


def dear(space):
    return {key: 9000 for key in made_up_latency(space, 1, 8) if "_i16_" in key}
