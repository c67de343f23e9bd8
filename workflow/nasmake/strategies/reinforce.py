"""REINFORCE for architecture parameters: the gradient of an expected reward that need not be differentiable.

ProxylessNAS, Cai et al., ICLR 2019, arXiv 1812.00332, section 3.3.2. Different from the paper: the baseline of a sample
is the mean reward of the others, which leaves the estimate unbiased.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.strategies.proxyless import Floats, softmax


def policy_gradient(alphas: Sequence[ArrayLike], samples: ArrayLike, rewards: ArrayLike) -> list[Floats]:
    """An unbiased estimate of dJ/dalpha, J the expected reward: a direction of ascent.

    (1 / M) sum_m (R_m - b_m) sum_i dlog p_i(x_mi)/dalpha, with dlog p(x)/dalpha = one_hot(x) - p.

    Args:
        alphas: C_i parameters of every decision; p_i = softmax(alpha_i).
        samples: x, [M, D], indices drawn from p.
        rewards: R, [M], larger is better.

    Returns:
        C_i numbers for every decision; those of one decision sum to 0.

    Raises:
        ValueError: there are fewer than two samples; one has no others for its baseline.
    """
    rewards, samples = np.asarray(rewards, dtype=float), np.asarray(samples)
    number = len(rewards)
    if number < 2:
        raise ValueError(f"rewards: {number} samples: expected 2 or more")
    baselines = (rewards.sum() - rewards) / (number - 1)
    advantages = (rewards - baselines) / number
    return [_score(alpha, own, advantages) for alpha, own in zip(alphas, samples.T, strict=True)]


def _score(alpha: ArrayLike, chosen: NDArray[np.int64], advantages: Floats) -> Floats:
    probabilities = softmax(alpha)
    one_hot = np.eye(probabilities.size)[chosen]
    score: Floats = advantages @ (one_hot - probabilities)
    return score
