"""What all samplers of paths share. No torch in this package."""

import random
from abc import ABC, abstractmethod

from nasmake.config.supernet import Supernet
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace


class PathSampler(ABC):
    """Draws the paths of each step; the step averages their gradients.

    Attributes:
        distils: whether the first path of a step, trained on the labels, teaches the others, which are trained on its
            soft output alone.
    """

    distils = False

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Supernet) -> None:
        self.space, self.costs, self.settings = space, costs, settings

    @abstractmethod
    def draw(self, rng: random.Random) -> list[Decisions]:
        """The paths of one step, in the order they are trained; draws from `rng` and remembers nothing."""
