"""How much of what could be traded the networks found cover: the hypervolume of (val loss, MACs), both to be small.

Zitzler and Thiele 1998, "Multiobjective optimization using evolutionary algorithms". Here it is the share, 0..1, of the
rectangle between nothing and a reference point in which every point is beaten or equalled by a network.
"""

from collections.abc import Iterable
from math import log
from typing import NamedTuple

from nasmake.cost import CostTable
from nasmake.search_spaces import SearchSpace


class Reference(NamedTuple):
    """The corner of the rectangle; beyond it nothing counts."""

    val_loss: float
    macs: float


def reference_of(space: SearchSpace, costs: CostTable) -> Reference:
    """The loss of guessing, ln of the number of classes, and the MACs of the costliest network, whatever the limits."""
    return Reference(log(space.class_num), costs.macs(costs.costliest("macs")))


def hypervolume(points: Iterable[tuple[float, float]], reference: Reference) -> float:
    """The share of the rectangle that points (val loss, MACs) cover; 0 where none lies inside."""
    covered, lowest = 0.0, 1.0
    for macs, loss in sorted((macs / reference.macs, loss / reference.val_loss) for loss, macs in points):
        if macs < 1 and loss < lowest:
            covered += (lowest - loss) * (1 - macs)
            lowest = loss
    return covered
