"""REINFORCE: gradient ascent on an expected reward that need not be differentiable. Update rule and search strategy.

Source: ProxylessNAS, Cai et al., ICLR 2019, arXiv 1812.00332, section 3.3.2. Difference from the paper: the baseline of
a sample is the mean reward of the other samples, which leaves the estimate unbiased.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import Adam, Floats, softmax


def policy_gradient(alphas: Sequence[ArrayLike], samples: ArrayLike, rewards: ArrayLike) -> list[Floats]:
    """Return an unbiased estimate of dJ/dalpha, the direction in which the expected reward J increases.

    The estimate is (1 / M) sum_m (R_m - b_m) sum_i dlog p_i(x_mi)/dalpha, with dlog p(x)/dalpha = one_hot(x) - p.

    Args:
        alphas: C_i parameters of every decision; p_i = softmax(alpha_i).
        samples: x, [M, D], indices drawn from p.
        rewards: R, [M], larger is better.

    Returns:
        C_i numbers for every decision; the numbers of one decision sum to 0.

    Raises:
        ValueError: there are fewer than two samples, so that a baseline has no other sample.
    """
    rewards, samples = np.asarray(rewards, dtype=float), np.asarray(samples)
    count = len(rewards)
    if count < 2:
        raise ValueError(f"rewards has {count} samples; expected 2 or more")
    baselines = (rewards.sum() - rewards) / (count - 1)
    advantages = (rewards - baselines) / count
    gradients = []
    for alpha, indices in zip(alphas, samples.T, strict=True):
        probabilities = softmax(alpha)
        one_hot = np.eye(probabilities.size)[indices]
        gradients.append(advantages @ (one_hot - probabilities))
    return gradients


class ReinforceSearch(DistributionStrategy):
    """Search by steps of Adam along the policy gradient. The reward is minus the objective.

    A broken network has the reward of the worst intact network of its generation. A generation with fewer than two
    networks, or without an intact network, changes nothing.
    """

    def reset(self) -> None:
        """Return to the uniform distribution."""
        self._alphas = [np.zeros(options) for options in self.categories]
        self._adam = Adam(self.categories, self.settings.policy_lr)

    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one step with the learning rate search.policy_lr."""
        intact = losses[np.isfinite(losses)]
        if len(losses) < 2 or not len(intact):
            return
        ascent = policy_gradient(self._alphas, samples, -np.minimum(losses, intact.max()))
        self._alphas = self._adam.step(self._alphas, [-gradient for gradient in ascent])

    def probabilities(self) -> Probabilities:
        """Return the softmax of the parameters of every decision."""
        return [softmax(alpha).tolist() for alpha in self._alphas]

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters and the averages of Adam."""
        return {"alphas": [alpha.tolist() for alpha in self._alphas], "adam": self._adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self._alphas = [np.array(alpha) for alpha in state["alphas"]]
        self._adam.load_state_dict(state["adam"])
