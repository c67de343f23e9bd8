"""What a search minimises: val loss, or minus the reward of MnasNet. Limits are hard under both."""

import math

from nasmake.cost import CostTable
from nasmake.search_section import Search
from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.limits import target_of
from nasmake.strategies.rewards import mnasnet_reward


class Objective:
    """Makes an `Evaluation` of a network's scores.

    Raises:
        InputError: the reward has no target, or its metric is a latency that the table does not know.
    """

    def __init__(self, costs: CostTable, settings: Search) -> None:
        self._costs, self._reward = costs, settings.reward if settings.objective == "mnasnet_reward" else None
        if self._reward is not None:
            self._target = target_of(self._reward, settings.constraint)
            costs.require([self._reward.metric])

    def evaluation(self, decisions: Decisions, loss: float, accuracy: float, generation: int = 0) -> Evaluation:
        """The evaluation of a decision vector with these val scores; a loss that is not finite is infinite."""
        loss = loss if math.isfinite(loss) else math.inf
        own = self(self._costs.space.canonical(decisions), loss, accuracy)
        return Evaluation(*own, decisions, loss, accuracy, generation)

    def __call__(self, network: Decisions, val_loss: float, val_accuracy: float) -> tuple[float, float]:
        """Objective, and what decides between equal ones: the cost of the reward. Broken networks are all equal.

        Args:
            network: its decisions.
            val_loss: infinite where the network is broken.
            val_accuracy: 0 to 1.
        """
        if self._reward is None or math.isinf(val_loss):
            return val_loss, 0.0
        cost = self._costs.of(network)[self._reward.metric]
        reward = mnasnet_reward(val_accuracy, cost, self._target, self._reward.w_below, self._reward.w_above)
        return 0.0 - float(reward), cost
