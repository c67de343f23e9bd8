"""Pareto fronts, and the hypervolume that a front dominates. Standard library only.

Smaller is better in every coordinate.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import NamedTuple


def non_dominated(points: Sequence[Sequence[float]]) -> list[bool]:
    """Which points are on the Pareto front: no other is as small everywhere and smaller somewhere.

    Equal points share their fate. A broken network, which has a coordinate that is not finite, is never on the front.
    """
    front: list[tuple[float, ...]] = []
    for point in sorted({tuple(point) for point in points if all(map(isfinite, point))}):
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in front):
            front.append(point)  # what could dominate it sorts before it
    kept = set(front)
    return [tuple(point) in kept for point in points]


class Reference(NamedTuple):
    """The corner of the rectangle; beyond it nothing counts."""

    val_loss: float
    macs: float


def hypervolume(points: Iterable[tuple[float, float]], reference: Reference) -> float:
    """The share of the rectangle that points (val loss, MACs) cover; 0 where none lies inside."""
    covered, lowest = 0.0, 1.0
    for macs, loss in sorted((macs / reference.macs, loss / reference.val_loss) for loss, macs in points):
        if macs < 1 and loss < lowest:
            covered += (lowest - loss) * (1 - macs)
            lowest = loss
    return covered
