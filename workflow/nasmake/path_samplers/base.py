"""The base class of the path samplers."""

import random
from abc import ABC, abstractmethod

from nasmake.config.supernet import Supernet
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace


class PathSampler(ABC):
    """Draws the paths of each training step. The step averages the gradients of its paths.

    Args:
        space: the search space.
        costs: costs of the networks of this space.
        settings: section `supernet`.

    Attributes:
        distils: whether the first path of a step teaches the other paths. The first path is then trained on the
            labels, and the others are trained on its softmax outputs alone.
    """

    distils = False

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Supernet) -> None:
        self.space, self.costs, self.settings = space, costs, settings

    @abstractmethod
    def draw(self, rng: random.Random) -> list[Decisions]:
        """Return the decision vectors of one step's paths, in the order in which they are trained.

        The paths depend on `rng` only, not on earlier steps.
        """
