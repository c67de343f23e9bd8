"""Probabilities of the options of every decision, and how far they have concentrated.

Snakemake imports this module while it reads the workflow. It may import the standard library and search_spaces only.
"""

from collections.abc import Sequence
from math import log

from nasmake.search_spaces import Decisions

Probabilities = list[list[float]]  # for every decision, one number per option; they sum to 1


def shares(vectors: Sequence[Decisions], categories: Sequence[int]) -> Probabilities:
    """Return how often each option occurs in decision vectors, as shares of 1; uniform without any vector.

    Args:
        vectors: decision vectors of length D.
        categories: [D], the number of options of every decision.
    """
    if not vectors:
        return [[1 / options] * options for options in categories]
    return [
        [column.count(index) / len(vectors) for index in range(options)]
        for column, options in zip(zip(*vectors, strict=True), categories, strict=True)
    ]


def concentration(probabilities: Probabilities) -> dict[str, float]:
    """Return entropy in nats and largest probability, both as means over the decisions with two or more options."""
    searched = [row for row in probabilities if len(row) > 1] or [[1.0]]
    entropies = [sum(p * log(1 / p) for p in row if p > 0) for row in searched]
    return {
        "entropy": sum(entropies) / len(searched),
        "max_probability": sum(map(max, searched)) / len(searched),
    }
