"""Probabilities of the choices of every decision, and how far they have concentrated. Standard library only."""

from collections.abc import Sequence
from math import log

from nasmake.search_spaces import Decisions

Probabilities = list[list[float]]


def shares(vectors: Sequence[Decisions], categories: Sequence[int]) -> Probabilities:
    """How often each choice occurs in decision vectors, as shares; uniform where there is no vector.

    Args:
        vectors: the decision vectors.
        categories: number of choices of every decision.
    """
    if not vectors:
        return [[1 / options] * options for options in categories]
    chosen = zip(*vectors, strict=True)
    return [
        [own.count(index) / len(vectors) for index in range(options)]
        for own, options in zip(chosen, categories, strict=True)
    ]


def concentration(probabilities: Probabilities) -> dict[str, float]:
    """Entropy in nats and largest probability, both means over the decisions that have a choice."""
    searched = [own for own in probabilities if len(own) > 1] or [[1.0]]
    entropies = [sum(p * log(1 / p) for p in own if p > 0) for own in searched]
    return {
        "entropy": sum(entropies) / len(searched),
        "max_probability": sum(map(max, searched)) / len(searched),
    }
