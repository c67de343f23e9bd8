"""The sandwich rule with in-place distillation (Yu and Huang, arXiv 1903.05134).

In the paper one width chooses a network. Here the largest and the smallest network have the most and the fewest MACs.
"""

import random
from functools import cached_property

from nasmake.path_samplers.base import PathSampler
from nasmake.search_spaces import Decisions

PATHS = 4  # as in the paper, if supernet.paths_per_step is 1 or 2 and leaves no random path


class Sandwich(PathSampler):
    """Draws the largest network of the space, the smallest one, and random ones. The largest teaches the others."""

    distils = True

    def draw(self, rng: random.Random) -> list[Decisions]:
        """Return the paths of one step: the largest, the smallest, then the random ones."""
        paths = self.settings.paths_per_step
        between = (paths if paths > 2 else PATHS) - 2
        return [*self._ends, *(self.space.sample(rng) for _ in range(between))]

    @cached_property
    def _ends(self) -> tuple[Decisions, Decisions]:
        return self.costs.costliest("macs"), self.costs.cheapest("macs")
