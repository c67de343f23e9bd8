"""Which of several points no other beats, where smaller is better in every coordinate. Standard library only."""

from collections.abc import Sequence
from math import isfinite


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
