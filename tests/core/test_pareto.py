from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st
from nasmake.core.pareto import crowded_order, non_dominated

points = st.integers(1, 3).flatmap(lambda size: st.lists(st.tuples(*[st.integers(0, 4)] * size), max_size=20))


@given(points)
def test_front_is_what_no_other_point_dominates(drawn):
    def dominates(one, other):
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    assert non_dominated(drawn) == [not any(dominates(one, point) for one in drawn) for point in drawn]


def test_equal_points_share_their_fate():
    assert non_dominated([(1, 2), (1, 2), (2, 1), (2, 2), (2, 2)]) == [True, True, True, False, False]


def test_broken_networks_are_never_on_the_front():
    assert non_dominated([(inf, 1), (nan, 0), (0.5, 2)]) == [False, False, True]
    assert non_dominated([(inf, 1)]) == [False] and non_dominated([]) == []


def test_crowded_order_prefers_the_better_front_and_within_it_ends_and_lonely_points():
    front = [(0.0, 10.0), (1.0, 9.0), (2.0, 8.0), (6.0, 4.0), (10.0, 0.0)]
    behind = [(3.0, 10.0), (11.0, 1.0)]
    # points 0 and 4 are ends; the distances of 1, 2 and 3 are .2 + .2, .5 + .5 and .8 + .8
    assert crowded_order(front + behind) == [0, 4, 3, 2, 1, 5, 6]
    assert crowded_order([behind[0], *front]) == [1, 5, 4, 3, 2, 0]
    assert crowded_order([(1.0, 1.0)] * 3) == [0, 2, 1]  # equal points: one in the middle has no distance
    assert crowded_order([]) == []
