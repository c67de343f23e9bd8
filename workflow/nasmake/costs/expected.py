"""The expected cost of a network whose decisions are drawn independently, and the gradient of this expectation.

Both are exact, without sampling. The cost of a block depends on its decisions and on the channels that arrive at it. So
the distribution of arriving channels is passed forward over the blocks, and the expected cost of the blocks that follow
is passed backward. For a space with one number of channels per block this is the sum of ProxylessNAS (arXiv 1812.00332,
section 3.3).
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
    """Tables of one block: a row per number of arriving channels, a column per decision vector of the block.

    Attributes:
        costs: costs of the block, [number of arriving channel choices, number of vectors].
        leaving: positions of its output channels among the choices of the next block, same shape.
    """

    costs: Vector
    leaving: NDArray[np.intp]


class ExpectedCost:
    """Expected cost for one probability vector per decision, and its gradient.

    Args:
        space: the search space.
        costs: the cost table of the space.
        metric: the metric whose expectation is computed.
    """

    def __init__(self, space: SearchSpace, costs: CostTable, metric: Metric) -> None:
        counts = [len(decision.choices) for decision in space.decisions]
        self._decisions_per_block = len(counts) // len(space.blocks)
        channels = [*(block.in_channel_choices for block in space.blocks), space.last_channel_choices]
        self._blocks = []
        for index, (arriving, leaving) in enumerate(pairwise(channels)):
            first = index * self._decisions_per_block
            vectors = [*product(*map(range, counts[first : first + self._decisions_per_block]))]
            rows = [[costs.block(index, count, vector, metric) for vector in vectors] for count in arriving]
            block_costs = np.array([[cost for _, cost in row] for row in rows], np.float64)
            self._blocks.append(_Block(block_costs, np.array([[leaving.index(out) for out, _ in row] for row in rows])))
        self._ends = np.array([costs.outside(count, metric) for count in channels[-1]], np.float64)

    def __call__(self, probabilities: Sequence[Vector]) -> tuple[float, list[Vector]]:
        """Return the expected cost and its derivatives by all probabilities.

        A constant added to a decision's derivatives changes nothing on the simplex. Here the derivatives are centred:
        the cost of the blocks that follow enters as the difference from its expectation. So in a space with one number
        of channels and one decision per block, the derivative by choice j is the cost of the block with choice j.

        Args:
            probabilities: for each decision of the space, in order, [number of choices]; each sums to 1.

        Returns:
            The expectation in the metric's unit, and derivatives in the shapes of `probabilities`.
        """
        starts = range(0, len(probabilities), self._decisions_per_block)
        by_block = [probabilities[start : start + self._decisions_per_block] for start in starts]
        joint = [_outer_products(vectors)[-1] for vectors in by_block]
        arriving = [np.ones(1)]
        for block, vector_probabilities in zip(self._blocks, joint, strict=True):
            reached = np.outer(arriving[-1], vector_probabilities)
            sums = np.bincount(block.leaving.ravel(), reached.ravel())
            arriving.append(sums / sums.sum())
        following, gradients = self._ends, list[Vector]()
        for index in reversed(range(len(self._blocks))):
            block = self._blocks[index]
            centre = arriving[index + 1] @ following
            totals = block.costs + (following - centre)[block.leaving]
            gradients[:0] = _marginals(arriving[index] @ totals, by_block[index])
            following = totals @ joint[index] + centre
        return float(following[0]), gradients


def _outer_products(vectors: Sequence[Vector]) -> list[Vector]:
    """Return the flattened outer products of the first 0, 1, 2, ... vectors."""
    products = [np.ones(1)]
    for vector in vectors:
        products.append(np.outer(products[-1], vector).ravel())
    return products


def _marginals(values: Vector, vectors: Sequence[Vector]) -> list[Vector]:
    """Return for each vector the means of `values` over all other vectors: the derivatives of the mean by it.

    Args:
        values: one value per combination of choices, flattened with the last vector fastest.
        vectors: probability vectors.
    """
    products = _outer_products(vectors[:-1])
    marginals: list[Vector] = []
    for position in reversed(range(len(vectors))):
        table = values.reshape(-1, len(vectors[position]))  # the means over the later vectors are taken already
        marginals.insert(0, products[position] @ table)
        values = table @ vectors[position]
    return marginals
