"""Search by adaptive stochastic natural gradient (arXiv 1905.08537) over a trained supernet."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nasmake.expected_cost import ExpectedCost
from nasmake.strategies.asng import ASNG
from nasmake.strategies.base import Evaluation
from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.rewards import reward_ranks

SMALLEST_ALPHA = 1e-6  # the predecessor's range begins at 0, by which ASNG cannot divide


class AsngSearch(DistributionStrategy):
    """ASNG with its adaptive step size; see `nasmake.strategies.asng`.

    With search.epsilon the direction has a term for the parameters of the network. The cost of an option is the
    derivative of the expected number of parameters by its probability, at the uniform distribution: the parameters of
    the block, where a block is one decision and has one width; else those of the network with the other decisions
    averaged out, up to a constant for each decision.
    """

    columns: ClassVar[tuple[str, ...]] = (*DistributionStrategy.columns, "Delta", "snr")

    @property
    def weighs_cost(self) -> bool:
        """Whether search.epsilon weighs the parameters."""
        return self.settings.epsilon > 0

    def reset(self) -> None:
        """Begin with the uniform distribution."""
        settings, alpha = self.settings, max(self.settings.alpha, SMALLEST_ALPHA)
        self.asng = ASNG(self.categories, alpha, settings.delta0, epsilon=settings.epsilon, costs=self.option_costs())

    def losses(self, generation: Sequence[Evaluation]) -> NDArray[np.float64]:
        """Places in the order of objectives and ties: the order is all that counts."""
        objectives = np.array([evaluation.objective for evaluation in generation])
        return reward_ranks(-objectives, [evaluation.tie for evaluation in generation]).astype(float)

    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """One step of ASNG; only the order of the losses matters."""
        self.asng.update(samples, losses)

    def probabilities(self) -> Probabilities:
        """Theta, without its padding."""
        return [own[:options].tolist() for own, options in zip(self.asng.theta, self.categories, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All that updates change."""
        return self.asng.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.asng.load_state_dict(state)

    def state_diagnostics(self) -> dict[str, float]:
        """Also what divides the step, and the signal-to-noise ratio that adapts it; 0 before the first step."""
        common = super().state_diagnostics()
        signal, noise = float(self.asng.s @ self.asng.s), self.asng.gamma
        return common | {"Delta": self.asng.Delta, "snr": signal / noise if noise else 0.0}

    def option_costs(self) -> list[list[float]] | None:
        """Parameters that each option stands for, with search.epsilon."""
        if not self.settings.epsilon:
            return None
        uniform = [np.full(options, 1 / options) for options in self.categories]
        _, derivatives = ExpectedCost(self.space, self.costs, "parameters")(uniform)
        return [own.tolist() for own in derivatives]
