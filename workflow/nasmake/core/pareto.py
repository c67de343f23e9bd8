"""Pareto fronts and hypervolumes. Smaller values are better in every coordinate."""

from collections.abc import Iterable, Sequence
from math import inf, isfinite
from typing import NamedTuple


def non_dominated(points: Sequence[Sequence[float]]) -> list[bool]:
    """Return for each point whether it is on the Pareto front.

    A point is on the front if no other point is at most as large in all coordinates and smaller in one. Equal points
    are either all on the front or all off it. A point with a coordinate that is infinite or NaN is never on the front.

    Args:
        points: N points of D coordinates each.

    Returns:
        N values, in the order of `points`.
    """
    front: list[tuple[float, ...]] = []
    for point in sorted({tuple(point) for point in points if all(map(isfinite, point))}):
        # In sorted order, every point that dominates this one has already been visited.
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in front):
            front.append(point)
    members = set(front)
    return [tuple(point) in members for point in points]


def crowded_order(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of all points in the crowded-comparison order of NSGA-II, best first.

    The points of the front come first, then those of the front of all others, and so on. Within a front, a point far
    from its neighbours comes before one in a crowd, and of equals the earlier one comes first. Source: Deb et al. 2002,
    doi 10.1109/4235.996017, section III.

    Args:
        points: N points of D finite coordinates each.
    """
    order: list[int] = []
    left = list(range(len(points)))
    while left:
        on_front = non_dominated([points[index] for index in left])
        front = [index for index, is_on in zip(left, on_front, strict=True) if is_on]
        distances = _crowding_distances([points[index] for index in front])
        order += [index for _, index in sorted(zip(distances, front, strict=True), key=lambda pair: -pair[0])]
        left = [index for index, is_on in zip(left, on_front, strict=True) if not is_on]
    return order


def _crowding_distances(front: Sequence[Sequence[float]]) -> list[float]:
    """Return for each point the sum over coordinates of the gap between its two neighbours, relative to the range.

    The first and the last point of a coordinate have an infinite distance, so that the ends of a front are kept.
    """
    distances = [0.0] * len(front)
    for coordinate in zip(*front, strict=True):
        order = sorted(range(len(front)), key=lambda index: coordinate[index])
        span = coordinate[order[-1]] - coordinate[order[0]]
        distances[order[0]] = distances[order[-1]] = inf
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            distances[index] += (coordinate[after] - coordinate[before]) / span if span else 0.0
    return distances


class Reference(NamedTuple):
    """The corner of the rectangle in which the hypervolume is measured; points beyond it do not count.

    Attributes:
        val_loss: upper end of the validation loss.
        macs: upper end of the multiply-adds.
    """

    val_loss: float
    macs: float


def hypervolume(points: Iterable[tuple[float, float]], reference: Reference) -> float:
    """Return the share of the rectangle from (0, 0) to `reference` that the points dominate.

    Args:
        points: pairs (validation loss, MACs).
        reference: the opposite corner of the rectangle.

    Returns:
        A number from 0 to 1; 0 if no point lies inside the rectangle.
    """
    covered, lowest_loss = 0.0, 1.0
    for macs, loss in sorted((macs / reference.macs, loss / reference.val_loss) for loss, macs in points):
        if macs < 1 and loss < lowest_loss:
            covered += (lowest_loss - loss) * (1 - macs)
            lowest_loss = loss
    return covered
