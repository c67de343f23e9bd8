"""What a search minimises: val loss, or minus the reward of MnasNet. Limits are hard under both."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.constraints import target_of


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


SOFT = (-0.07, -0.07)  # doubling the cost has to pay with about 5 % more accuracy
HARD = (0.0, -1.0)  # nothing below the target counts, everything above it does


def mnasnet_reward(
    accuracy: ArrayLike, cost: ArrayLike, target: float, w_below: float = SOFT[0], w_above: float = SOFT[1]
) -> NDArray[np.float64]:
    """ACC (cost / target)^w, with w = w_below up to the target and w_above beyond; element by element.

    Args:
        accuracy: 0 to 1.
        cost: in the unit of `target`, above 0.
        target: the cost that is aimed at.
        w_below: exponent where cost <= target.
        w_above: exponent where cost > target.

    Raises:
        ValueError: an exponent is above 0, which would reward cost.
    """
    if max(w_below, w_above) > 0:
        raise ValueError(f"exponents of the reward: {w_below} and {w_above}: expected 0 or below")
    ratio = np.asarray(cost, dtype=float) / target
    reward: NDArray[np.float64] = np.asarray(accuracy, dtype=float) * ratio ** np.where(ratio <= 1, w_below, w_above)
    return reward


def reward_ranks(reward: ArrayLike, cost: ArrayLike) -> NDArray[np.int64]:
    """Place of every candidate, [n], 0 the highest reward; of equal rewards the lower cost is first.

    The hard reward does not see cost below the target. Ranks break its ties without moving any other candidate, as a
    small penalty could. Candidates equal in both share a place. Whatever sorts by loss can sort by them.
    """
    keys = np.stack([-np.asarray(reward, dtype=float), np.asarray(cost, dtype=float)], axis=-1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
