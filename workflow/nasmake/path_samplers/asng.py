"""Paths from the distribution that the search moves (ASNG-NAS; Akimoto et al., arXiv 1905.08537, algorithm 2)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from nasmake.path_samplers.uniform import Uniform
from nasmake.search_spaces import Decisions

if TYPE_CHECKING:  # importing it would load numpy while Snakemake reads the workflow
    from nasmake.strategies.distribution import Distribution


class Asng(Uniform):
    """Draws supernet.paths_per_step paths from a distribution, within the limits of its search.

    Attributes:
        distribution: any strategy with a distribution. While it is None, all decision vectors are equally likely.
    """

    distribution: Distribution | None = None

    def draw(self, rng: random.Random) -> list[Decisions]:
        """Return the paths of one step."""
        if self.distribution is None:
            return super().draw(rng)
        return self.distribution.draw(rng, self.settings.paths_per_step)
