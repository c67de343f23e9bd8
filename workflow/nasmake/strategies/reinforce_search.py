"""Search by REINFORCE (ProxylessNAS, arXiv 1812.00332, section 3.3.2) over a trained supernet."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import Adam, softmax
from nasmake.strategies.reinforce import policy_gradient


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
