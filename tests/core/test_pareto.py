from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st
from nasmake.core.pareto import non_dominated

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
