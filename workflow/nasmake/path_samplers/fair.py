"""Strict fairness (FairNAS; Chu et al., arXiv 1907.01845)."""

import random

from nasmake.path_samplers.base import PathSampler
from nasmake.search_spaces import Decisions


class Fair(PathSampler):
    """Draws m paths, where m is the largest number of options of a decision.

    The paths of one step take each option of such a decision exactly once. They take each option of a decision with
    C < m options floor(m/C) or ceil(m/C) times, and equally often only in the mean over many steps.
    """

    def draw(self, rng: random.Random) -> list[Decisions]:
        """Return the paths of one step."""
        counts = [len(decision.choices) for decision in self.space.decisions]
        columns = []
        for count in counts:
            options: list[int] = []
            while len(options) < max(counts):
                options += rng.sample(range(count), count)
            columns.append(options[: max(counts)])
        return list(zip(*columns, strict=True))
