"""Uniform sampling of single paths (SPOS; Guo et al., arXiv 1904.00420, section 3.2)."""

import random

from nasmake.path_samplers.base import PathSampler
from nasmake.search_spaces import Decisions


class Uniform(PathSampler):
    """Draws supernet.paths_per_step paths; all decision vectors are equally likely."""

    def draw(self, rng: random.Random) -> list[Decisions]:
        """Return the paths of one step."""
        return [self.space.sample(rng) for _ in range(self.settings.paths_per_step)]
