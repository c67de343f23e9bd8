"""Search by gradient descent on architecture parameters (ProxylessNAS, arXiv 1812.00332, section 3.2)."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasmake.cost import CostTable
from nasmake.expected_cost import ExpectedCost
from nasmake.search_section import Search
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import TRIES
from nasmake.strategies.distribution import Distribution
from nasmake.strategies.limits import UNITS, target_of_expected_cost
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import (
    Adam,
    CostLoss,
    gate_gradient,
    linear_loss,
    power_loss,
    sample_two_paths,
    softmax,
    two_path_rescale,
)

Floats = NDArray[np.float64]
Options = tuple[int, ...]


class Gates(NamedTuple):
    """What competes in one step.

    Attributes:
        options: of every decision: two, all of them, or the only one.
        active: the network whose gates are open; one of the options in every decision.
    """

    options: tuple[Options, ...]
    active: Decisions


class ProxylessSearch(Distribution):
    """Steps of Adam on alphas, whose softmax is the distribution, along gradients that the gates receive.

    Differs from the paper: the alphas begin at 0; Zero has a gate as any other option has; the cost of an option is
    added to the gradient of its gate, so that loss and cost are weighed over the same options; only networks within
    the limits are active.
    """

    columns: ClassVar[tuple[str, ...]] = (*Distribution.columns, "expected_cost")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self._expected_cost = ExpectedCost(space, costs, settings.expected_cost.metric)
        super().__init__(space, costs, settings)

    @property
    def weighs_cost(self) -> bool:
        """Whether there is a cost loss."""
        return self.settings.expected_cost.loss != "none"

    @property
    def passes_per_update(self) -> int:
        """Three for the active network, and one for each that competes with it."""
        return 4 if self.settings.gates == "two_path" else 2 + max(self.categories)

    def reset(self) -> None:
        """Begin with the uniform distribution."""
        self._alphas = [np.zeros(options) for options in self.categories]
        self._adam = Adam(self.categories, self.settings.architecture_lr)

    def probabilities(self) -> Probabilities:
        """Softmax of the alphas of every decision."""
        return [own.tolist() for own in self._probabilities()]

    def state_dict(self) -> dict[str, Any]:
        """The alphas and the averages of Adam."""
        return {"alphas": [own.tolist() for own in self._alphas], "adam": self._adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self._alphas = [np.array(own) for own in state["alphas"]]
        self._adam.load_state_dict(state["adam"])

    def state_diagnostics(self) -> dict[str, float]:
        """Also the expected cost, in the unit of search.expected_cost.metric."""
        return super().state_diagnostics() | {"expected_cost": self._expected_cost(self._probabilities())[0]}

    def sample_gates(self, rng: random.Random) -> Gates:
        """Options that compete, and a network of them within the limits.

        Gates are drawn again up to 500 times. Then the active network is repaired, and an option that it needs takes
        the place of the active one.

        Raises:
            InputError: no architecture keeps the limits.
        """
        generator = np.random.Generator(np.random.Philox(key=rng.getrandbits(64)))
        for cheapest in (None, *self._cheapest):
            for _ in range(TRIES):
                gates = self._draw_gates(generator)
                if cheapest:
                    gates = _activated(gates, self.repaired(rng, gates.active, cheapest))
                if self.keeps_limits(gates.active):
                    return gates
        raise self.no_architecture()

    def step(self, gates: Gates, gate_gradients: Sequence[Floats], cross_entropy: float) -> None:
        """Move the alphas of the options that competed; the probabilities of the others stay what they are.

        A loss or gradient that is not finite moves nothing.

        Args:
            gates: as drawn by `sample_gates`.
            gate_gradients: derivatives of the cross entropy by the gates, one for each of the options.
            cross_entropy: of the active network on the batch.
        """
        if not np.isfinite([cross_entropy, *np.concatenate(gate_gradients)]).all():
            return
        expected, by_probability = self._expected_cost(self._probabilities())
        loss = self._cost_loss(cross_entropy, expected)
        gradients = []
        for alpha, options, by_gate, costs in zip(
            self._alphas, gates.options, gate_gradients, by_probability, strict=True
        ):
            competing, gradient = list(options), np.zeros_like(alpha)
            total = loss.by_cross_entropy * by_gate + loss.by_cost * costs[competing]
            gradient[competing] = gate_gradient(alpha[competing], total)
            gradients.append(gradient)
        moved = zip(self._alphas, self._adam.step(self._alphas, gradients), gates.options, strict=True)
        self._alphas = [two_path_rescale(old, new, options) for old, new, options in moved]

    def _probabilities(self) -> list[Floats]:
        return [softmax(own) for own in self._alphas]

    def _draw_gates(self, generator: np.random.Generator) -> Gates:
        options, active = zip(*(self._competing(alpha, generator) for alpha in self._alphas), strict=True)
        return Gates(options, active)

    def _competing(self, alpha: Floats, generator: np.random.Generator) -> tuple[Options, int]:
        if self.settings.gates == "two_path" and alpha.size > 1:
            drawn = sample_two_paths(alpha, generator)
            return tuple(drawn.pair.tolist()), drawn.active
        return tuple(range(alpha.size)), int(generator.choice(alpha.size, p=softmax(alpha)))

    def _cost_loss(self, cross_entropy: float, cost: float) -> CostLoss:
        settings = self.settings.expected_cost
        if settings.loss == "none":
            return CostLoss(cross_entropy, 1.0, 0.0)
        unit = UNITS[settings.metric]
        cost, target = cost * unit, target_of_expected_cost(self.settings) * unit
        if settings.loss == "linear":
            loss = linear_loss(cross_entropy, cost, target, settings.weight or 0.1)
        else:
            loss = power_loss(cross_entropy, cost, target, beta_r=settings.weight or 0.3)
        return loss._replace(by_cost=loss.by_cost * unit)


def _activated(gates: Gates, active: Decisions) -> Gates:
    """The gates with another active network; its options take the places of those active before."""
    options = tuple(
        own if new in own else tuple(new if option == old else option for option in own)
        for own, old, new in zip(gates.options, gates.active, active, strict=True)
    )
    return Gates(options, active)
