"""Adaptive stochastic natural gradient (ASNG) over categorical decisions: the update rule and the search strategy.

The update rule is Algorithm 1 of Akimoto et al., ICML 2019, arXiv 1905.08537, for categorical distributions. There are
three differences from the paper. An update counts as rounding error if its whitened direction is shorter than 1e-12,
because identical samples leave a direction that is not exactly 0. The step size is bounded where its recursion has no
real value. A cost can be added to the direction.

Shapes: D decisions, C_i options of decision i, C the largest C_i, lam samples, N = sum of C_i - 1 free parameters.
Arrays over options are [D, C] and 0 where a decision has fewer than C options.
"""

from collections.abc import Mapping, Sequence
from math import exp, inf, sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasmake.costs.expected import ExpectedCost
from nasmake.strategies.base import Evaluation
from nasmake.strategies.distribution import DistributionStrategy
from nasmake.strategies.objective import reward_ranks
from nasmake.strategies.probabilities import Probabilities

Floats = NDArray[np.float64]
TINY = 1e-12  # a whitened direction shorter than this is rounding error
SMALLEST_ALPHA = 1e-6  # aiaccel files of the predecessor allow alpha 0, by which ASNG cannot divide


def ranking_utilities(losses: ArrayLike) -> Floats:
    """Return the utilities of losses by their ranks.

    The mu = ceil(lam / 4) best have 1 / mu, the mu worst have -1 / mu, and the others have 0. Equal losses share the
    mean of their utilities.

    Args:
        losses: [lam], smaller is better; NaN is the worst.

    Returns:
        [lam] utilities.
    """
    _, group, sizes = np.unique(np.asarray(losses, dtype=float), return_inverse=True, return_counts=True)
    lam = len(group)
    mu = -(-lam // 4)
    ranked = np.zeros(lam)
    ranked[:mu] += 1 / mu
    ranked[lam - mu :] -= 1 / mu
    means: Floats = np.add.reduceat(ranked, sizes.cumsum() - sizes) / sizes
    return means[group]


def cost_direction(theta: Floats, costs: Floats) -> Floats:
    """Return the natural gradient of the expected cost, theta_j (c_j - sum_k theta_k c_k) / max(c).

    `ASNG.update` subtracts epsilon times this direction from the natural gradient of the loss, before the difference is
    whitened and normalised. max(c) is taken over all decisions, so that an expensive block weighs more than a cheap
    one. Source: Saito and Shirakawa 2019.

    Args:
        theta: [D, C], probabilities.
        costs: [D, C], the cost of every option.

    Returns:
        [D, C]; every row sums to 0.
    """
    expected = (theta * costs).sum(axis=1, keepdims=True)
    direction: Floats = theta * (costs - expected) / costs.max()
    return direction


def _padded(costs: Sequence[Sequence[float]] | None, valid: NDArray[np.bool_]) -> Floats:
    rows, counts = [list(row) for row in costs or ()], valid.sum(axis=1).tolist()
    if [len(row) for row in rows] != counts or max(map(max, rows)) <= 0:
        raise ValueError(f"costs is {rows}; expected {counts} numbers, the largest above 0")
    padded = np.zeros(valid.shape)
    padded[valid] = [cost for row in rows for cost in row]
    return padded


class ASNG:
    """One categorical distribution per decision, moved towards samples of low loss in steps of adaptive size.

    Attributes:
        theta: [D, C], the probability of every option; uniform at first.
        Delta: divisor of the step: theta moves by delta0 / Delta, measured by the Fisher information.
        s: [N], exponential average of the whitened directions.
        gamma: the value of ||s||^2 for random directions; ||s||^2 / gamma is the signal-to-noise ratio.
    """

    def __init__(
        self,
        categories: Sequence[int],
        alpha: float = 1.5,
        delta0: float = 1.0,
        delta_max: float = inf,
        *,
        epsilon: float = 0.0,
        costs: Sequence[Sequence[float]] | None = None,
    ) -> None:
        """Start from the uniform distribution.

        Args:
            categories: C_i of every decision. A decision with one option never moves. If exactly two decisions have a
                choice, one of them with two options never moves either: both options have the lower bound 1 / 2.
            alpha: signal-to-noise ratio above which steps grow and below which they shrink.
            delta0: size of the first step.
            delta_max: upper bound of Delta.
            epsilon: weight of the costs in the direction, see `cost_direction`.
            costs: C_i costs of every decision, whose sum is the cost of a network (parameters, MACs or latency). They
                are read if epsilon is above 0.

        Raises:
            ValueError: exactly one decision has a choice, so that its theta has no room above the lower bounds. Or the
                costs do not fit the categories.
        """
        options = np.asarray(categories)
        searched = np.count_nonzero(options > 1)
        if searched == 1 or options.min() < 1:
            raise ValueError(f"categories is {options.tolist()}; expected 1 or more each, and none or several above 1")
        self.alpha, self.delta0, self.delta_max, self.epsilon = alpha, delta0, delta_max, epsilon
        last = options[:, None] - 1
        self._columns = np.arange(options.max())
        self._valid, self._free, self._last = self._columns <= last, self._columns < last, last
        self._costs = _padded(costs, self._valid) if epsilon else None
        bound = 1 / np.maximum(searched * last, 1)
        self._least = np.where(self._valid & (last > 0), bound, 0.0)
        self.theta: Floats = self._valid / options[:, None]
        self.s: Floats = np.zeros(np.count_nonzero(self._free))
        self.gamma, self.Delta = 0.0, 1.0

    def update(self, samples: ArrayLike, losses: ArrayLike) -> None:
        """Move theta by one step and adapt the step size.

        Equal losses change nothing. Equal samples change nothing either, unless there are costs: then the costs alone
        decide the direction of a whole step.

        Args:
            samples: [lam, D], indices of options.
            losses: [lam], smaller is better; only their order matters, and NaN is the worst.

        Raises:
            ValueError: an index is not an option of its decision.
        """
        indices = np.asarray(samples)[:, :, None]
        if not ((indices >= 0) & (indices <= self._last)).all():
            counts = ", ".join(map(str, self._last[:, 0] + 1))
            raise ValueError(f"samples has an index that is not an option; expected 0 or more, and less than {counts}")
        utilities = ranking_utilities(losses)
        if (utilities == utilities[0]).all():
            return
        one_hot = indices == self._columns
        direction = np.tensordot(utilities - utilities.mean(), one_hot - self.theta, axes=1) / len(utilities)
        if self._costs is not None:
            direction -= self.epsilon * cost_direction(self.theta, self._costs)
        whitened = self._whiten(direction)
        length = float(np.linalg.norm(whitened))
        if length < TINY:
            return
        longest = sqrt(self.s.size)
        if self.delta0 >= 2 * longest * self.Delta:  # `_adapt` has no real root for beta >= 2: continue with beta = 1
            self.Delta = self.delta0 / longest
        step = self.delta0 / self.Delta
        self.theta = self._project(self.theta + step * direction / length)
        self._adapt(whitened / length, step / longest)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that updates change, as numbers and lists. JSON keeps these values exactly."""
        return {"theta": self.theta.tolist(), "s": self.s.tolist(), "gamma": self.gamma, "Delta": self.Delta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()` of an object with the same categories and settings."""
        self.theta, self.s = np.array(state["theta"]), np.array(state["s"])
        self.gamma, self.Delta = state["gamma"], state["Delta"]

    def _whiten(self, direction: Floats) -> Floats:
        """Return the direction times the root of the Fisher information, [N], without the last option of a decision."""
        root = np.sqrt(np.where(self._valid, self.theta, 1.0))
        final = np.take_along_axis(root, self._last, axis=1)
        moved = (direction * self._free).sum(axis=1, keepdims=True)
        whitened: Floats = (direction / root + root * moved / (final**2 + final))[self._free]
        return whitened

    def _project(self, theta: Floats) -> Floats:
        """Raise every probability to at least 1 / (d (C_i - 1)), with d decisions that have a choice.

        The other options of the decision pay for the increase, in proportion to their distance from this bound.
        """
        lifted: Floats = np.maximum(theta, self._least)
        room = lifted - self._least
        total = room.sum(axis=1, keepdims=True)
        excess = lifted.sum(axis=1, keepdims=True) - 1
        lifted -= excess * room / np.where(total > 0, total, 1.0)
        lifted /= lifted.sum(axis=1, keepdims=True)
        return lifted

    def _adapt(self, whitened: Floats, beta: float) -> None:
        """Let the step grow while the directions agree.

        Args:
            whitened: [N], the whitened direction divided by its length.
            beta: the step divided by sqrt(N), below 2.
        """
        weight = beta * (2 - beta)
        self.s = (1 - beta) * self.s + sqrt(weight) * whitened
        self.gamma = (1 - beta) ** 2 * self.gamma + weight
        grown = self.Delta * exp(beta * (self.gamma - float(self.s @ self.s) / self.alpha))
        self.Delta = min(self.delta_max, grown)


class AsngSearch(DistributionStrategy):
    """Search by ASNG with its adaptive step size.

    With search.epsilon above 0, the direction has a term for the number of parameters. The cost of an option is then
    the derivative of the expected number of parameters by the option's probability, at the uniform distribution. In a
    space with one decision and one width per block, the cost is the number of parameters of the block. In other spaces
    the other decisions are averaged out, and the cost is known up to a constant for each decision.
    """

    columns: ClassVar[tuple[str, ...]] = (*DistributionStrategy.columns, "Delta", "snr")

    @property
    def weighs_cost(self) -> bool:
        """Whether search.epsilon trades val loss against the number of parameters."""
        return self.settings.epsilon > 0

    def reset(self) -> None:
        """Return to the uniform distribution."""
        settings, alpha = self.settings, max(self.settings.alpha, SMALLEST_ALPHA)
        self.asng = ASNG(self.categories, alpha, settings.delta0, epsilon=settings.epsilon, costs=self.option_costs())

    def losses(self, generation: Sequence[Evaluation]) -> NDArray[np.float64]:
        """Return the ranks by objective and tie, [lam]: ASNG uses only the order."""
        objectives = np.array([evaluation.objective for evaluation in generation])
        return reward_ranks(-objectives, [evaluation.tie for evaluation in generation]).astype(float)

    def update(self, samples: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        """Move the distribution by one step of ASNG."""
        self.asng.update(samples, losses)

    def probabilities(self) -> Probabilities:
        """Return theta without its padding."""
        return [row[:options].tolist() for row, options in zip(self.asng.theta, self.categories, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that updates change."""
        return self.asng.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.asng.load_state_dict(state)

    def state_diagnostics(self) -> dict[str, float]:
        """Return the common diagnostics, the divisor of the step (Delta) and the signal-to-noise ratio (snr).

        The signal-to-noise ratio is 0 before the first step.
        """
        common = super().state_diagnostics()
        signal, noise = float(self.asng.s @ self.asng.s), self.asng.gamma
        return common | {"Delta": self.asng.Delta, "snr": signal / noise if noise else 0.0}

    def option_costs(self) -> list[list[float]] | None:
        """Return the number of parameters that each option accounts for, or None if search.epsilon is 0."""
        if not self.settings.epsilon:
            return None
        uniform = [np.full(options, 1 / options) for options in self.categories]
        _, derivatives = ExpectedCost(self.space, self.costs, "parameters")(uniform)
        return [row.tolist() for row in derivatives]
