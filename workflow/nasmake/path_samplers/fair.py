"""Strict fairness (FairNAS; Chu et al., arXiv 1907.01845)."""

import random

from nasmake.path_samplers.base import PathSampler
from nasmake.search_spaces import Decisions


class Fair(PathSampler):
    """As many paths as the largest decision has options, which together take each of its options exactly once.

    A decision with C options, fewer than the m paths, takes each floor(m/C) or ceil(m/C) times: over many steps equally
    often in the mean only.
    """

    def draw(self, rng: random.Random) -> list[Decisions]:
        """The paths of one step."""
        counts = [len(decision.choices) for decision in self.space.decisions]
        columns = [_permutations(rng, count, max(counts)) for count in counts]
        return list(zip(*columns, strict=True))


def _permutations(rng: random.Random, count: int, length: int) -> list[int]:
    """Random permutations of `count` options one after another, the last one cut."""
    options: list[int] = []
    while len(options) < length:
        options += rng.sample(range(count), count)
    return options[:length]
