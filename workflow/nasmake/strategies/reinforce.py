"""REINFORCE for architecture parameters: the gradient of an expected reward that need not be differentiable.

ProxylessNAS, Cai et al., ICLR 2019, arXiv 1812.00332, section 3.3.2. Different from the paper: the baseline of a sample
is the mean reward of the others, which leaves the estimate unbiased.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import Adam, Floats, softmax


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


class ReinforceSearch(DistributionStrategy):
    """Steps of Adam along the policy gradient; see `nasmake.strategies.reinforce`.

    The reward is minus the objective. A broken network is rewarded as the worst of its generation; a generation without
    two networks, or without an intact one, changes nothing.
    """

    def reset(self) -> None:
        """Begin with the uniform distribution."""
        self._alphas = [np.zeros(options) for options in self.categories]
        self._adam = Adam(self.categories, self.settings.policy_lr)

    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """One step of search.policy_lr."""
        intact = losses[np.isfinite(losses)]
        if len(losses) < 2 or not len(intact):
            return
        ascent = policy_gradient(self._alphas, samples, -np.minimum(losses, intact.max()))
        self._alphas = self._adam.step(self._alphas, [-own for own in ascent])

    def probabilities(self) -> Probabilities:
        """Softmax of the parameters of every decision."""
        return [softmax(own).tolist() for own in self._alphas]

    def state_dict(self) -> dict[str, Any]:
        """The parameters and the averages of Adam."""
        return {"alphas": [own.tolist() for own in self._alphas], "adam": self._adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self._alphas = [np.array(own) for own in state["alphas"]]
        self._adam.load_state_dict(state["adam"])
