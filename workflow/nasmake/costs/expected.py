"""The expected cost of a network whose decisions are drawn independently, with its gradient.

Exact, without sampling: what a block costs depends on its own decisions and on the width that arrives, so the
distribution of widths is passed forward over the blocks, and the expected cost of all that follows backward.
For a space with one width per block this is the sum of ProxylessNAS (arXiv 1812.00332, section 3.3).
"""

from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasmake.costs.table import CostTable, Metric
from nasmake.search_spaces import SearchSpace

Vector = NDArray[np.float64]


class _Block(NamedTuple):
    """A block's costs [W, V] by arriving width and own decision vector, and the places [W, V] of the leaving widths."""

    costs: Vector
    leaving: NDArray[np.intp]


class ExpectedCost:
    """Expected cost under one probability vector per decision, and its gradient.

    Args:
        space: the search space.
        costs: its cost table.
        metric: which of the costs.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, metric: Metric) -> None:
        counts = [len(decision.choices) for decision in space.decisions]
        self._width = len(counts) // len(space.blocks)
        self._counts = [counts[start : start + self._width] for start in range(0, len(counts), self._width)]
        widths = [*(block.in_channel_choices for block in space.blocks), space.last_channel_choices]
        self._blocks = []
        for index, (arriving, leaving) in enumerate(pairwise(widths)):
            vectors = [*product(*map(range, self._counts[index]))]
            found = [[costs.block(index, width, own, metric) for own in vectors] for width in arriving]
            own_costs = np.array([[cost for _, cost in row] for row in found], np.float64)
            self._blocks.append(_Block(own_costs, np.array([[leaving.index(out) for out, _ in row] for row in found])))
        self._ends = np.array([costs.outside(width, metric) for width in widths[-1]], np.float64)

    def __call__(self, probabilities: Sequence[Vector]) -> tuple[float, list[Vector]]:
        """Expected cost, and its derivatives by all probabilities.

        A constant added to a decision's derivatives changes nothing on the simplex. Here they are centred so that
        choice j of a block with one decision, in a space with one width per block, has just the cost of that block
        for choice j: what follows a block counts only by how far it is from its own expectation.

        Args:
            probabilities: for each decision of the space, in order, [number of choices]; each sums to 1.

        Returns:
            The expectation in the metric's unit, and vectors of the shapes of `probabilities`.
        """
        own = [probabilities[start : start + self._width] for start in range(0, len(probabilities), self._width)]
        joint = [_outer(vectors)[-1] for vectors in own]
        arriving = [np.ones(1)]
        for block, chances in zip(self._blocks, joint, strict=True):
            reached = np.outer(arriving[-1], chances)
            sums = np.bincount(block.leaving.ravel(), reached.ravel())
            arriving.append(sums / sums.sum())
        following, gradients = self._ends, list[Vector]()
        for index in reversed(range(len(self._blocks))):
            block = self._blocks[index]
            centre = arriving[index + 1] @ following
            totals = block.costs + (following - centre)[block.leaving]
            gradients[:0] = _marginals(arriving[index] @ totals, own[index])
            following = totals @ joint[index] + centre
        return float(following[0]), gradients


def _outer(vectors: Sequence[Vector]) -> list[Vector]:
    """Flattened outer products of the first 0, 1, 2, ... vectors."""
    products = [np.ones(1)]
    for vector in vectors:
        products.append(np.outer(products[-1], vector).ravel())
    return products


def _marginals(values: Vector, vectors: Sequence[Vector]) -> list[Vector]:
    """For each vector, the means of `values` over all others: derivatives of the mean by that vector."""
    before = _outer(vectors[:-1])
    found: list[Vector] = []
    for place in reversed(range(len(vectors))):
        table = values.reshape(-1, len(vectors[place]))  # over the vectors behind this one the mean is taken already
        found.insert(0, before[place] @ table)
        values = table @ vectors[place]
    return found
