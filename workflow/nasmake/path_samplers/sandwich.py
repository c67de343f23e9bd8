"""The sandwich rule with in-place distillation (Yu and Huang, arXiv 1903.05134).

There, a network is chosen by one width; here the largest and the smallest network are those of most and fewest MACs.
"""

import random
from functools import cached_property

from nasmake.path_samplers.base import PathSampler
from nasmake.search_spaces import Decisions

PATHS = 4  # the paper's number, for a supernet.paths_per_step that leaves none between largest and smallest


class Sandwich(PathSampler):
    """The largest network of the space, the smallest, and uniformly drawn ones between; the largest teaches them."""

    distils = True

    def draw(self, rng: random.Random) -> list[Decisions]:
        """The paths of one step: the largest, the smallest, then the others."""
        paths = self.settings.paths_per_step
        between = (paths if paths > 2 else PATHS) - 2
        return [*self._ends, *(self.space.sample(rng) for _ in range(between))]

    @cached_property
    def _ends(self) -> tuple[Decisions, Decisions]:
        return self.costs.costliest("macs"), self.costs.cheapest("macs")
