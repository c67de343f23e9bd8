"""ProxylessNAS: gradient descent on architecture parameters through binary gates. Update rule and search strategy.

Source: Cai et al., ICLR 2019, arXiv 1812.00332; its sections and equations are cited below. Every decision has
parameters alpha, [C], one per option. The gates of its options are one-hot and drawn with the probabilities
softmax(alpha). The forward and backward passes that give the gradients of the gates are in `nasmake.stages.gates`.
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
from nasmake.strategies.constraints import UNITS, target_of_expected_cost
from nasmake.strategies.distribution import Distribution
from nasmake.strategies.probabilities import Probabilities

Floats = NDArray[np.float64]
Options = tuple[int, ...]


class Gates(NamedTuple):
    """The options that compete in one step.

    Attributes:
        options: for every decision, its competing options: two of them, all of them, or the only one.
        active: the network whose gates are open, with one of the competing options in every decision.
    """

    options: tuple[Options, ...]
    active: Decisions

    def with_active(self, active: Decisions) -> "Gates":
        """Return the gates with another active network. A new option replaces the option that was active before."""
        options = tuple(
            competing if new in competing else tuple(new if option == old else option for option in competing)
            for competing, old, new in zip(self.options, self.active, active, strict=True)
        )
        return Gates(options, active)


class CostLoss(NamedTuple):
    """A loss made of cross-entropy and expected cost, and its derivatives with respect to both."""

    value: float
    by_cross_entropy: float
    by_cost: float


def softmax(alpha: ArrayLike) -> Floats:
    """Return the probabilities of options, [..., C], from their parameters alpha, [..., C]."""
    shifted = np.asarray(alpha, dtype=float)
    powers: Floats = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def gate_gradient(alpha: ArrayLike, gate_grads: ArrayLike) -> Floats:
    """Return dL/dalpha_i = sum_j dL/dg_j p_j (1[i = j] - p_i), equation (4).

    Args:
        alpha: [..., C]. With two paths, pass the alphas of the pair only: their softmax are the pair's probabilities.
        gate_grads: dL/dg, [..., C].

    Returns:
        [..., C], with the sum 0 over the last axis.
    """
    probabilities = softmax(alpha)
    weighted = probabilities * np.asarray(gate_grads, dtype=float)
    gradient: Floats = weighted - probabilities * weighted.sum(axis=-1, keepdims=True)
    return gradient


def sample_two_paths(alpha: ArrayLike, rng: np.random.Generator) -> tuple[Options, int]:
    """Draw two of C options by softmax(alpha) without replacement, section 3.2.

    Args:
        alpha: [C], with C of 2 or more.
        rng: the source of random draws.

    Returns:
        The pair, and the active one of its options, drawn by the softmax of the pair's alphas.

    Raises:
        ValueError: there is only one option.
    """
    alpha = np.asarray(alpha, dtype=float)
    pair = rng.choice(alpha.size, size=2, replace=False, p=softmax(alpha))
    active = pair[int(rng.random() >= softmax(alpha[pair])[0])]
    return tuple(pair.tolist()), int(active)


def two_path_rescale(old: ArrayLike, new: ArrayLike, pair: ArrayLike) -> Floats:
    """Shift the two alphas that a step has moved, so that all other probabilities keep their values, section 3.2.

    Args:
        old: [C], before the step.
        new: [C], after the step; differs from `old` at the pair only.
        pair: [2], the two options.

    Returns:
        [C], `new` with the pair shifted by -log(sum exp new / sum exp old), both sums over the pair.
    """
    pair, rescaled = np.asarray(pair), np.array(new, dtype=float)
    before = np.asarray(old, dtype=float)[pair]
    rescaled[pair] -= np.logaddexp.reduce(rescaled[pair]) - np.logaddexp.reduce(before)
    return rescaled


def expected_cost(probabilities: Sequence[ArrayLike], table: Sequence[ArrayLike]) -> float:
    """Return sum_i sum_j p_ij F_ij, section 3.3.1, in the unit of the table.

    The gradient with respect to the probabilities is the table; `gate_gradient(alpha_i, F_i)` is the gradient with
    respect to alpha_i. The cost that all networks have in common is not included.

    Args:
        probabilities: p, C_i numbers for every decision.
        table: F, the cost of every option, in the same form.
    """
    return sum(float(np.dot(row, costs)) for row, costs in zip(probabilities, table, strict=True))


def power_loss(cross_entropy: float, cost: float, target: float, alpha_r: float = 0.2, beta_r: float = 0.3) -> CostLoss:
    """Return alpha_r CE (log E / log T)^beta_r, the loss of the published code.

    The paper (arXiv 1812.00332) gives no values. With the code's alpha_r of 0.2, a network at the target has a fifth of
    its cross-entropy as its loss, so the gradients of the architecture are five times smaller than those of CE alone.

    Args:
        cross_entropy: CE.
        cost: E, above 1.
        target: T, above 1, in the unit of the cost.
        alpha_r: factor of the loss.
        beta_r: exponent.

    Raises:
        ValueError: cost or target is 1 or less, so that its logarithm is not positive.
    """
    if min(cost, target) <= 1:
        raise ValueError(f"cost is {cost} and target is {target}; expected both above 1, as in a smaller unit")
    factor = alpha_r * (log(cost) / log(target)) ** beta_r
    value = factor * cross_entropy
    return CostLoss(value, factor, value * beta_r / (cost * log(cost)))


def linear_loss(cross_entropy: float, cost: float, target: float, weight: float = 0.1) -> CostLoss:
    """Return CE + weight (E - T) / T, the other loss of the published code; cost E and target T have the same unit."""
    return CostLoss(cross_entropy + weight * (cost - target) / target, 1.0, weight / target)


# torch.optim.Adam orders its float64 operations differently, which would change the last bits of existing results.
class Adam:
    """Adam, Kingma and Ba 2015, arXiv 1412.6980, for architecture parameters: no weight decay.

    A decision without a gradient (None) keeps its parameters and its state. With a gradient of 0 its averages decay.
    If the first beta is 0, an option with gradient 0 stays where it is.
    """

    def __init__(
        self,
        categories: Sequence[int],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """Start with averages of 0.

        Args:
            categories: [D], the number of options of every decision.
            learning_rate: size of a step.
            betas: decay of the averages of the gradient and of its square, as in ProxylessNAS.
            eps: added to the root of the average square.
        """
        self.learning_rate, self.betas, self.eps = learning_rate, betas, eps
        self._steps = [0] * len(categories)
        self._means: list[Floats] = [np.zeros(options) for options in categories]
        self._squares: list[Floats] = [np.zeros(options) for options in categories]

    def step(self, alphas: Sequence[Floats], gradients: Sequence[Floats | None]) -> list[Floats]:
        """Return the parameters of every decision after a step of descent along its gradient.

        Args:
            alphas: C_i parameters for every decision.
            gradients: C_i derivatives for every decision, or None for a decision that stays where it is.
        """
        first, second = self.betas
        moved = list(alphas)
        for i, (alpha, gradient) in enumerate(zip(alphas, gradients, strict=True)):
            if gradient is None:
                continue
            self._steps[i] += 1
            self._means[i] = first * self._means[i] + (1 - first) * gradient
            self._squares[i] = second * self._squares[i] + (1 - second) * gradient**2
            mean = self._means[i] / (1 - first ** self._steps[i])
            square = self._squares[i] / (1 - second ** self._steps[i])
            moved[i] = alpha - self.learning_rate * (mean / (np.sqrt(square) + self.eps))
        return moved

    def state_dict(self) -> dict[str, Any]:
        """Return everything that steps change, as numbers and lists. JSON keeps these values exactly."""
        means, squares = ([row.tolist() for row in averages] for averages in (self._means, self._squares))
        return {"steps": list(self._steps), "means": means, "squares": squares}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()` of an object with the same categories and settings."""
        self._steps = list(state["steps"])
        self._means, self._squares = ([np.array(row) for row in state[name]] for name in ("means", "squares"))


class ProxylessSearch(Distribution):
    """Search by steps of Adam on alphas along the gradients of their gates.

    Differences from the paper: the alphas start at 0. The operation Zero has a gate like any other option. The cost of
    an option is added to the gradient of its gate, so that loss and cost are weighed over the same options. Only
    networks within the limits are active.
    """

    columns: ClassVar[tuple[str, ...]] = (*Distribution.columns, "expected_cost")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self._expected_cost = ExpectedCost(space, costs, settings.expected_cost.metric)
        super().__init__(space, costs, settings)

    @property
    def weighs_cost(self) -> bool:
        """Whether search.expected_cost.loss is set."""
        return self.settings.expected_cost.loss != "none"

    @property
    def passes_per_update(self) -> int:
        """Cost of one update in forward passes: three for the active network, one for each competing option."""
        return 4 if self.settings.gates == "two_path" else 2 + max(self.categories)

    def reset(self) -> None:
        """Return to the uniform distribution."""
        self._alphas = [np.zeros(options) for options in self.categories]
        self._adam = Adam(self.categories, self.settings.architecture_lr)

    def probabilities(self) -> Probabilities:
        """Return the softmax of the alphas of every decision."""
        return [row.tolist() for row in self._probabilities()]

    def _probabilities(self) -> list[Floats]:
        return [softmax(alpha) for alpha in self._alphas]

    def state_dict(self) -> dict[str, Any]:
        """Return the alphas and the averages of Adam."""
        return {"alphas": [alpha.tolist() for alpha in self._alphas], "adam": self._adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self._alphas = [np.array(alpha) for alpha in state["alphas"]]
        self._adam.load_state_dict(state["adam"])

    def state_diagnostics(self) -> dict[str, float]:
        """Return the common diagnostics and the expected cost, in the unit of search.expected_cost.metric."""
        return super().state_diagnostics() | {"expected_cost": self._expected_cost(self._probabilities())[0]}

    def sample_gates(self, rng: random.Random) -> Gates:
        """Draw the competing options of every decision, and one network of these options within the limits.

        Gates are drawn again up to 500 times. After that, active networks are repaired: an option that the repair needs
        replaces the active option.

        Raises:
            InputError: no architecture is within the limits.
        """
        generator = np.random.Generator(np.random.Philox(key=rng.getrandbits(64)))
        for cheapest in self.attempts():
            options, active = zip(*(self._competing(alpha, generator) for alpha in self._alphas), strict=True)
            gates = Gates(options, active)
            if cheapest is not None:
                gates = gates.with_active(self.repaired(rng, gates.active, cheapest))
            if self.is_feasible(gates.active):
                return gates
        raise self.no_architecture()

    def _competing(self, alpha: Floats, generator: np.random.Generator) -> tuple[Options, int]:
        if self.settings.gates == "two_path" and alpha.size > 1:
            return sample_two_paths(alpha, generator)
        return tuple(range(alpha.size)), int(generator.choice(alpha.size, p=softmax(alpha)))

    def step(self, gates: Gates, gate_gradients: Sequence[Floats], cross_entropy: float) -> None:
        """Move the alphas of the competing options. The probabilities of all other options keep their values.

        A loss or gradient that is not finite moves nothing.

        Args:
            gates: as drawn by `sample_gates`.
            gate_gradients: for every decision, the derivatives of the cross-entropy by the gates of its options.
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

    def _cost_loss(self, cross_entropy: float, cost: float) -> CostLoss:
        """Return the loss that search.expected_cost names, with its derivative by the cost in the unit of `cost`."""
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
