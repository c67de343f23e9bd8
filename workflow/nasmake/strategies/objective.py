"""The number that a search minimises: the val loss, or minus the reward of MnasNet.

Hard limits are kept under both objectives; they are in `nasmake.strategies.constraints`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.constraints import target_of


class Objective:
    """Computes the objective of a network from its scores.

    Args:
        costs: costs of the networks of the space.
        settings: section `search`.

    Raises:
        InputError: the reward has no target, or its metric is the latency and `costs` has none.
    """

    def __init__(self, costs: CostTable, settings: Search) -> None:
        self._costs, self._reward = costs, settings.reward if settings.objective == "mnasnet_reward" else None
        if self._reward is not None:
            self._target = target_of(self._reward, settings.constraint)
            costs.require([self._reward.metric])

    def evaluation(self, decisions: Decisions, loss: float, accuracy: float, generation: int = 0) -> Evaluation:
        """Return the evaluation of a decision vector with these val scores.

        Args:
            decisions: the vector as it was proposed.
            loss: val loss; a loss that is not finite is stored as infinity.
            accuracy: val accuracy, 0 to 1.
            generation: the generation of the proposal.
        """
        loss = loss if math.isfinite(loss) else math.inf
        objective, tie = self(self._costs.space.canonical(decisions), loss, accuracy)
        return Evaluation(objective, tie, decisions, loss, accuracy, generation)

    def __call__(self, network: Decisions, val_loss: float, val_accuracy: float) -> tuple[float, float]:
        """Return the objective and the tie, which decides between equal objectives.

        The tie is the cost of the reward, and 0 without a reward. All broken networks are equal.

        Args:
            network: canonical decision vector.
            val_loss: infinite for a broken network.
            val_accuracy: 0 to 1.
        """
        if self._reward is None or math.isinf(val_loss):
            return val_loss, 0.0
        cost = self._costs.of(network)[self._reward.metric]
        reward = mnasnet_reward(val_accuracy, cost, self._target, self._reward.w_below, self._reward.w_above)
        return 0.0 - float(reward), cost  # a reward of 0 is the objective 0.0, not -0.0


def mnasnet_reward(
    accuracy: ArrayLike, cost: ArrayLike, target: float, w_below: float = -0.07, w_above: float = -0.07
) -> NDArray[np.float64]:
    """Return ACC (cost / target)^w element by element, with w = w_below up to the target and w = w_above beyond it.

    With the exponents -0.07, twice the cost has to pay with about 5 % more accuracy. With w_below = 0 and w_above = -1,
    the cost counts only above the target. Source: MnasNet, Tan et al., arXiv 1807.11626, equations (2) and (3).

    Args:
        accuracy: 0 to 1.
        cost: above 0, in the unit of `target`.
        target: the desired cost.
        w_below: exponent for cost <= target; 0 or less.
        w_above: exponent for cost > target; 0 or less.

    Raises:
        ValueError: an exponent is above 0 and would reward cost.
    """
    if max(w_below, w_above) > 0:
        raise ValueError(f"w_below is {w_below} and w_above is {w_above}; expected 0 or less")
    ratio = np.asarray(cost, dtype=float) / target
    reward: NDArray[np.float64] = np.asarray(accuracy, dtype=float) * ratio ** np.where(ratio <= 1, w_below, w_above)
    return reward


def reward_ranks(reward: ArrayLike, cost: ArrayLike) -> NDArray[np.int64]:
    """Return the rank of every candidate: 0 is the highest reward, and the lower cost comes first in a tie.

    A reward with w_below = 0 ignores cost below the target. Ranks break such ties without changing the order of other
    candidates, which a small penalty on the cost could change.

    Args:
        reward: [n].
        cost: [n].

    Returns:
        [n] ranks. Candidates with equal reward and equal cost share a rank.
    """
    keys = np.stack([-np.asarray(reward, dtype=float), np.asarray(cost, dtype=float)], axis=-1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
