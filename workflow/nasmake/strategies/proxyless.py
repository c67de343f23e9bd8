"""Gradient descent on architecture parameters through binary gates.

ProxylessNAS, Cai et al., ICLR 2019, arXiv 1812.00332. Every decision has parameters alpha, [C], one per option; the
gates of its options are one-hot, drawn with the probabilities softmax(alpha).
"""

import random
from collections.abc import Mapping, Sequence
from math import log
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.config.search import Search
from nasmake.costs.expected import ExpectedCost
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.base import TRIES
from nasmake.strategies.constraints import UNITS, target_of_expected_cost
from nasmake.strategies.distribution import Distribution
from nasmake.strategies.probabilities import Probabilities

Floats = NDArray[np.float64]


class TwoPaths(NamedTuple):
    """Two options of a decision that compete in one step."""

    pair: NDArray[np.int64]  # [2], the options
    probabilities: Floats  # [2], softmax of their two alphas
    active: int  # the one of them whose gate is open


class CostLoss(NamedTuple):
    """A loss made of cross-entropy and expected cost, and its derivatives with respect to both."""

    value: float
    by_cross_entropy: float
    by_cost: float


def softmax(alpha: ArrayLike) -> Floats:
    """Probabilities of the options, over the last axis."""
    shifted = np.asarray(alpha, dtype=float)
    powers: Floats = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def gate_gradient(alpha: ArrayLike, gate_grads: ArrayLike) -> Floats:
    """dL/dalpha_i = sum_j dL/dg_j p_j (1[i = j] - p_i), Eq. (4); it sums to 0.

    Args:
        alpha: [..., C]. With two paths: the alphas of the pair only, whose softmax are its probabilities.
        gate_grads: dL/dg, [..., C].
    """
    probabilities = softmax(alpha)
    weighted = probabilities * np.asarray(gate_grads, dtype=float)
    gradient: Floats = weighted - probabilities * weighted.sum(axis=-1, keepdims=True)
    return gradient


def sample_two_paths(alpha: ArrayLike, rng: np.random.Generator) -> TwoPaths:
    """Two of C options by softmax(alpha) without replacement, and the active one by the odds between them, section 3.2.

    Raises:
        ValueError: there is one option only.
    """
    alpha = np.asarray(alpha, dtype=float)
    pair = rng.choice(alpha.size, size=2, replace=False, p=softmax(alpha))
    probabilities = softmax(alpha[pair])
    return TwoPaths(pair, probabilities, int(pair[int(rng.random() >= probabilities[0])]))


def two_path_rescale(old: ArrayLike, new: ArrayLike, pair: ArrayLike) -> Floats:
    """Shift the two alphas that a step has moved, so that all other probabilities are what they were, section 3.2.

    Args:
        old: [C], before the step.
        new: [C], after it; differs from `old` at the pair only.
        pair: [2], the two options.

    Returns:
        [C], `new` with the pair shifted by -log(sum exp new / sum exp old), both sums over the pair.
    """
    pair, rescaled = np.asarray(pair), np.array(new, dtype=float)
    before = np.asarray(old, dtype=float)[pair]
    rescaled[pair] -= np.logaddexp.reduce(rescaled[pair]) - np.logaddexp.reduce(before)
    return rescaled


def expected_cost(probabilities: Sequence[ArrayLike], table: Sequence[ArrayLike]) -> float:
    """sum_i sum_j p_ij F_ij, section 3.3.1, in the unit of the table.

    Its gradient with respect to the probabilities is the table, and `gate_gradient(alpha_i, F_i)` that to alpha_i.

    Args:
        probabilities: of every decision, C_i numbers.
        table: F, the cost of every option, likewise; what all networks have in common is the caller's to add.
    """
    return sum(float(np.dot(own, costs)) for own, costs in zip(probabilities, table, strict=True))


def power_loss(cross_entropy: float, cost: float, target: float, alpha_r: float = 0.2, beta_r: float = 0.3) -> CostLoss:
    """alpha_r CE (log E / log T)^beta_r, of the published code; cost and target in the same unit.

    Raises:
        ValueError: cost or target are not above 1, where their logarithms are.
    """
    if min(cost, target) <= 1:
        raise ValueError(f"cost {cost} and target {target}: expected both above 1; choose a smaller unit")
    factor = alpha_r * (log(cost) / log(target)) ** beta_r
    value = factor * cross_entropy
    return CostLoss(value, factor, value * beta_r / (cost * log(cost)))


def linear_loss(cross_entropy: float, cost: float, target: float, weight: float = 0.1) -> CostLoss:
    """CE + weight (E - T) / T, of the published code; cost and target in the same unit."""
    return CostLoss(cross_entropy + weight * (cost - target) / target, 1.0, weight / target)


def paper_loss(cross_entropy: float, cost: float, weight: float) -> CostLoss:
    """CE + lambda_2 E of section 3.3.1; `weight` is lambda_2, per unit of the cost."""
    return CostLoss(cross_entropy + weight * cost, 1.0, weight)


class Adam:
    """Adam, Kingma and Ba 2015, arXiv 1412.6980, for architecture parameters: no weight decay.

    A decision without a gradient keeps its parameters and its state. A gradient of 0 is not the same: averages decay.
    With beta 0 for the first of them, an option with gradient 0 still stays where it is.
    """

    def __init__(
        self,
        categories: Sequence[int],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """Start with averages of 0 for C_i options of every decision."""
        self.learning_rate, self.betas, self.eps = learning_rate, betas, eps
        self._steps = [0] * len(categories)
        self._means: list[Floats] = [np.zeros(options) for options in categories]
        self._squares: list[Floats] = [np.zeros(options) for options in categories]

    def step(self, alphas: Sequence[Floats], gradients: Sequence[Floats | None]) -> list[Floats]:
        """The parameters of every decision after a step of descent, where there is a gradient."""
        pairs = enumerate(zip(alphas, gradients, strict=True))
        return [alpha if gradient is None else alpha - self._change(i, gradient) for i, (alpha, gradient) in pairs]

    def state_dict(self) -> dict[str, Any]:
        """All that steps change, as numbers and lists: JSON keeps it exactly."""
        means, squares = ([own.tolist() for own in averages] for averages in (self._means, self._squares))
        return {"steps": list(self._steps), "means": means, "squares": squares}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()` of an object with the same categories and settings."""
        self._steps = list(state["steps"])
        self._means, self._squares = ([np.array(own) for own in state[name]] for name in ("means", "squares"))

    def _change(self, decision: int, gradient: Floats) -> Floats:
        self._steps[decision] += 1
        first, second = self.betas
        mean = self._means[decision] = first * self._means[decision] + (1 - first) * gradient
        square = self._squares[decision] = second * self._squares[decision] + (1 - second) * gradient**2
        steps = self._steps[decision]
        change: Floats = mean / (1 - first**steps) / (np.sqrt(square / (1 - second**steps)) + self.eps)
        return self.learning_rate * change


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
                if self.is_feasible(gates.active):
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
