"""Paths from the distribution that the search moves (ASNG-NAS; Akimoto et al., arXiv 1905.08537, algorithm 2)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from nasmake.samplers.base import Sampler
from nasmake.search_spaces import Decisions

if TYPE_CHECKING:  # it loads numpy
    from nasmake.strategies.distribution import Distribution


class Asng(Sampler):
    """supernet.paths_per_step paths from a distribution, within the limits of its search.

    Attributes:
        distribution: of any strategy that has one; without it, all decision vectors are equally likely.
    """

    distribution: Distribution | None = None

    def draw(self, rng: random.Random) -> list[Decisions]:
        """The paths of one step."""
        paths = self.settings.paths_per_step
        if self.distribution is None:
            return [self.space.sample(rng) for _ in range(paths)]
        return self.distribution.draw(rng, paths)
