"""One number out of accuracy and cost.

MnasNet, Tan et al., CVPR 2019, arXiv 1807.11626, section 3.1.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
