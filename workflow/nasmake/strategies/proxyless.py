"""Gradient descent on architecture parameters through binary gates.

ProxylessNAS, Cai et al., ICLR 2019, arXiv 1812.00332. Every decision has parameters alpha, [C], one per option; the
gates of its options are one-hot, drawn with the probabilities softmax(alpha).
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
