"""Tests of hypervolume() in nasmake.core.pareto; test_pareto.py tests the front."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasmake.core.pareto import Reference, hypervolume
from nasmake.costs.table import CostTable
from nasmake.stages.search_output import reference_of
from small_spaces import build, shipped, small

REFERENCE = Reference(2.0, 10.0)
INSIDE = st.tuples(st.floats(0, 2), st.floats(0, 10))
ANYWHERE = st.tuples(st.floats(0, 4), st.floats(0, 20))


@pytest.mark.parametrize(
    ("points", "covered"),
    [
        ([], 0),
        ([(2.0, 0.0)], 0),
        ([(0.0, 10.0)], 0),
        ([(0.0, 0.0)], 1),
        ([(1.0, 5.0)], 1 / 4),
        ([(1.0, 5.0), (1.5, 7.0), (1.0, 5.0)], 1 / 4),  # beaten, and repeated
        ([(0.5, 8.0), (1.5, 2.0)], 0.25 * 0.8 + 0.5 * 0.2),
        ([(1.0, 5.0), (0.1, 11.0), (2.1, 0.0), (math.inf, 1.0)], 1 / 4),  # outside, and broken
    ],
)
def test_covered_share(points, covered):
    assert hypervolume(points, REFERENCE) == pytest.approx(covered)


@given(st.lists(ANYWHERE, max_size=8), ANYWHERE, st.randoms())
def test_more_points_never_cover_less_and_their_order_does_not_count(points, further, random):
    covered = hypervolume(points, REFERENCE)
    assert 0 <= covered <= hypervolume([*points, further], REFERENCE) + 1e-12 <= 1 + 2e-12
    shuffled = random.sample(points, len(points))
    assert hypervolume(shuffled, REFERENCE) == covered


@given(st.lists(INSIDE, min_size=1, max_size=5))
def test_it_is_the_share_of_points_that_are_beaten(points):
    rng, draws = Random(0), 2000
    beaten = 0
    for _ in range(draws):
        loss, macs = rng.uniform(0, 2), rng.uniform(0, 10)
        beaten += any(point[0] <= loss and point[1] <= macs for point in points)
    assert hypervolume(points, REFERENCE) == pytest.approx(beaten / draws, abs=0.06)


@pytest.mark.parametrize("space", [shipped("proxyless_digits"), build(small())], ids=["proxyless", "mnasnet"])
def test_reference_is_guessing_with_the_costliest_network(space):
    costs = CostTable(space, 1, 8)
    reference = reference_of(costs, None)
    assert reference.val_loss == pytest.approx(-math.log(1 / space.num_classes))
    assert reference_of(costs, 3).val_loss == pytest.approx(math.log(3))
    rng = Random(0)
    assert reference.macs >= max(costs.macs(space.sample(rng)) for _ in range(300))
