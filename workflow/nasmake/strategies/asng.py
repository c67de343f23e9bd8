"""Adaptive stochastic natural gradient (ASNG) over categorical decisions.

Akimoto et al., ICML 2019, arXiv 1905.08537, Algorithm 1 for categorical distributions. Different from it: whether an
update is rounding error is read from the whitened direction, since samples that all coincide leave more than nothing;
the step size is bounded where its recursion has no real value; and a cost can be added to the direction.

Shapes: D decisions, C_i options of decision i, C the most of them, lam samples, N = sum of C_i - 1 free parameters.
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
Indices = NDArray[np.int64]
TINY = 1e-12  # a whitened direction shorter than this is rounding error


class ASNG:
    """One categorical distribution per decision, moved towards samples of low loss by steps whose size adapts.

    Attributes:
        theta: [D, C], the probability of every option; uniform at first.
        Delta: divides the step: theta moves by delta0 / Delta, measured by the Fisher information.
        s: [N], exponential average of the whitened directions.
        gamma: what ||s||^2 would be for random directions; ||s||^2 / gamma is the signal-to-noise ratio.
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
            categories: C_i of every decision. A decision with one option stays as it is; so does one with two options
                where only one other decision has a choice (both are bound to 1 / 2).
            alpha: signal-to-noise ratio above which steps grow and below which they shrink.
            delta0: size of the first step.
            delta_max: upper bound of Delta.
            epsilon: weight of the costs in the direction, see `cost_direction`.
            costs: C_i costs of every decision that add up to the cost of a network (parameters, MACs, latency).

        Raises:
            ValueError: only one decision has a choice, which leaves its theta no room above the lower bounds; or the
                costs do not fit the categories.
        """
        options = np.asarray(categories)
        searched = np.count_nonzero(options > 1)
        if searched == 1 or options.min() < 1:
            raise ValueError(f"categories: {list(categories)}: expected 1 or more each, and none or several above 1")
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

    def sample(self, rng: np.random.Generator, count: int) -> Indices:
        """`count` decision vectors, [count, D], drawn from theta."""
        draws = rng.random((count, len(self.theta), 1))
        samples: Indices = ((draws >= self.theta.cumsum(axis=1)) & self._free).sum(axis=-1)
        return samples

    def update(self, samples: ArrayLike, losses: ArrayLike) -> None:
        """One step of theta and of its size.

        Losses that are all equal change nothing. Neither do samples that are, unless there are costs: these then act
        alone, with a whole step.

        Args:
            samples: [lam, D], indices of options.
            losses: [lam], smaller is better; only their order matters, NaN is the worst.

        Raises:
            ValueError: an index is none of its decision's options.
        """
        chosen = np.asarray(samples)[:, :, None]
        if not ((chosen >= 0) & (chosen <= self._last)).all():
            raise ValueError(f"samples: expected options below {self._last[:, 0] + 1}, not {chosen[:, :, 0]}")
        utilities = ranking_utilities(losses)
        if (utilities == utilities[0]).all():
            return
        one_hot = chosen == self._columns
        direction = np.tensordot(utilities - utilities.mean(), one_hot - self.theta, axes=1) / len(utilities)
        if self._costs is not None:
            direction -= self.epsilon * cost_direction(self.theta, self._costs)
        whitened = self._whiten(direction)
        length = float(np.linalg.norm(whitened))
        if length < TINY:
            return
        step = self._step_size()
        self.theta = self._project(self.theta + step * direction / length)
        self._adapt(whitened / length, step / sqrt(self.s.size))

    def mode(self) -> Indices:
        """The most probable option of every decision, [D]; the first of equals."""
        options: Indices = self.theta.argmax(axis=1)
        return options

    def entropy(self) -> Floats:
        """Entropy of every decision in nats, [D]."""
        logs = np.log(self.theta, where=self._valid, out=np.zeros_like(self.theta))
        entropy: Floats = -(self.theta * logs).sum(axis=1)
        return entropy

    def convergence(self) -> float:
        """Largest probability of a decision, mean over the decisions."""
        return float(self.theta.max(axis=1).mean())

    def state_dict(self) -> dict[str, Any]:
        """All that updates change, as numbers and lists: JSON keeps it exactly."""
        return {"theta": self.theta.tolist(), "s": self.s.tolist(), "gamma": self.gamma, "Delta": self.Delta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()` of an object with the same categories and settings."""
        self.theta, self.s = np.array(state["theta"]), np.array(state["s"])
        self.gamma, self.Delta = state["gamma"], state["Delta"]

    def _whiten(self, direction: Floats) -> Floats:
        """The direction times the root of the Fisher information, [N]: the last option of each decision is not free."""
        root = np.sqrt(np.where(self._valid, self.theta, 1.0))
        final = np.take_along_axis(root, self._last, axis=1)
        moved = (direction * self._free).sum(axis=1, keepdims=True)
        whitened: Floats = (direction / root + root * moved / (final**2 + final))[self._free]
        return whitened

    def _step_size(self) -> float:
        """The next delta. Where delta / sqrt(N) is 2 or more, `_adapt` has no real root: it goes back to 1."""
        longest = sqrt(self.s.size)
        if self.delta0 >= 2 * longest * self.Delta:
            self.Delta = self.delta0 / longest
        return self.delta0 / self.Delta

    def _project(self, theta: Floats) -> Floats:
        """Lift every option to 1 / (d (C_i - 1)), d decisions having a choice; what lies above it pays for that."""
        lifted: Floats = np.maximum(theta, self._least)
        room = lifted - self._least
        total = room.sum(axis=1, keepdims=True)
        excess = lifted.sum(axis=1, keepdims=True) - 1
        lifted -= excess * room / np.where(total > 0, total, 1.0)
        lifted /= lifted.sum(axis=1, keepdims=True)
        return lifted

    def _adapt(self, whitened: Floats, beta: float) -> None:
        """Let the step grow while directions agree. `whitened` has length 1."""
        weight = beta * (2 - beta)
        self.s = (1 - beta) * self.s + sqrt(weight) * whitened
        self.gamma = (1 - beta) ** 2 * self.gamma + weight
        grown = self.Delta * exp(beta * (self.gamma - float(self.s @ self.s) / self.alpha))
        self.Delta = min(self.delta_max, grown)


def ranking_utilities(losses: ArrayLike) -> Floats:
    """Of [lam] losses the mu = ceil(lam / 4) best have 1 / mu, the mu worst -1 / mu, others 0; equals share a mean."""
    _, group, sizes = np.unique(np.asarray(losses, dtype=float), return_inverse=True, return_counts=True)
    number = len(group)
    mu = -(-number // 4)
    ranked = np.zeros(number)
    ranked[:mu] += 1 / mu
    ranked[number - mu :] -= 1 / mu
    means: Floats = np.add.reduceat(ranked, sizes.cumsum() - sizes) / sizes
    return means[group]


def cost_direction(theta: Floats, costs: Floats) -> Floats:
    """The natural gradient of the expected cost, theta (c - sum_j theta c) / max(c), [D, C].

    Saito and Shirakawa 2019. `ASNG.update` subtracts epsilon times this from the natural gradient of the loss, before
    both are whitened and normalised. max(c) is taken over all decisions: a dear block weighs more than a cheap one.
    """
    expected = (theta * costs).sum(axis=1, keepdims=True)
    direction: Floats = theta * (costs - expected) / costs.max()
    return direction


def _padded(costs: Sequence[Sequence[float]] | None, valid: NDArray[np.bool_]) -> Floats:
    rows = [list(row) for row in costs or ()]
    if [len(row) for row in rows] != valid.sum(axis=1).tolist() or max(map(max, rows)) <= 0:
        raise ValueError(f"costs: expected {valid.sum(axis=1).tolist()} numbers, the largest above 0, not {rows}")
    padded = np.zeros(valid.shape)
    padded[valid] = [cost for row in rows for cost in row]
    return padded


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
