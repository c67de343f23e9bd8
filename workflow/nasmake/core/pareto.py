"""Pareto fronts and hypervolumes. Smaller values are better in every coordinate."""

from collections.abc import Iterable, Sequence
from math import isfinite
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
