"""Rank correlations and intervals. Kendall's tau is tau-b throughout, so ties count as neither agreement nor not."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nasmake.core.seeding import numpy_generator

RESAMPLES = 1000


class Estimate(NamedTuple):
    """A figure with its interval; both limits are the figure itself where there is none."""

    value: float
    low: float
    high: float


def tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b; 0 where one of the two is constant, since it then says nothing of the other."""
    return _defined(stats.kendalltau(x, y).statistic)


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation; 0 where one of the two is constant."""
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return 0.0 if constant else float(stats.spearmanr(x, y).statistic)


def partial_tau(x: ArrayLike, y: ArrayLike, given: ArrayLike) -> float:
    """Kendall's partial tau of x and y, given a third variable (Kendall 1942): what it does not explain by itself.

    0 where x or y is determined by the third, so that nothing is left.
    """
    xy, xz, yz = tau(x, y), tau(x, given), tau(y, given)
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / sqrt(left) if left > 1e-12 else 0.0


def null_deviation(count: int) -> float:
    """Standard deviation of tau between two independent rankings of `count` things without ties."""
    return sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], count: int, seed_key: tuple[int | str, ...], level: float = 0.95
) -> Estimate:
    """A statistic of `count` things with its percentile interval over resamples of them.

    Args:
        statistic: of the things with these indices, [count], of which some are there several times.
        count: of things.
        seed_key: the place of the random draws.
        level: of the interval, two-sided.
    """
    generator = numpy_generator(*seed_key, "bootstrap")
    found = [statistic(generator.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(statistic(np.arange(count)), float(low), float(high))


def t_interval(values: Sequence[float], level: float) -> Estimate:
    """The mean of two or more values with Student's two-sided interval."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(len(values))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Estimate(mean, mean - half, mean + half)


def _defined(value: float) -> float:
    return 0.0 if np.isnan(value) else float(value)
