"""Rank correlations and intervals, with numpy and scipy only.

Kendall's tau is tau-b everywhere: a tied pair counts neither as agreement nor as disagreement.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from nasmake.core.seeding import numpy_generator

RESAMPLES = 1000  # of the bootstrap


class Estimate(NamedTuple):
    """A value with the limits of its interval."""

    value: float
    low: float
    high: float


def tau(x: ArrayLike, y: ArrayLike) -> float:
    """Return Kendall's tau-b of two samples [N]; 0 if one of them is constant, since it ranks nothing."""
    statistic = stats.kendalltau(x, y).statistic
    return 0.0 if np.isnan(statistic) else float(statistic)


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation of two samples [N]; 0 if one of them is constant."""
    is_constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return 0.0 if is_constant else float(stats.spearmanr(x, y).statistic)


def partial_tau(x: ArrayLike, y: ArrayLike, given: ArrayLike) -> float:
    """Return Kendall's partial tau of x and y given a third sample, all [N] (Kendall 1942, Biometrika 32).

    It is the agreement of x and y that the third sample does not explain; 0 if the third determines x or y.
    """
    xy, xz, yz = tau(x, y), tau(x, given), tau(y, given)
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / sqrt(left) if left > 1e-12 else 0.0


def null_deviation(count: int) -> float:
    """Return the standard deviation of tau between two independent rankings of `count` items without ties."""
    return sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))


def bootstrap(
    statistic: Callable[..., float], counts: Sequence[int], seed_key: tuple[int | str, ...], level: float
) -> Estimate:
    """Return a statistic with its percentile interval over resamples of several kinds of units, such as supernets.

    Each kind is resampled independently. For searches that are nested in supernets this is right too: all supernets
    take the same positions, but the searches at one position are independent of each other.

    Args:
        statistic: function of one index array per kind; a resample contains some units several times.
        counts: number of units of each kind.
        seed_key: seed key of the random draws.
        level: coverage of the two-sided interval, 0..1.
    """
    generator = numpy_generator(*seed_key, "bootstrap")
    resampled = [statistic(*(generator.integers(0, count, count) for count in counts)) for _ in range(RESAMPLES)]
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(statistic(*map(np.arange, counts)), float(low), float(high))


def t_interval(values: Sequence[float], level: float) -> Estimate:
    """Return the mean of two or more values with Student's two-sided interval of the coverage `level`, 0..1."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(len(values))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Estimate(mean, mean - half, mean + half)


def difference(first: Sequence[float], second: Sequence[float], level: float) -> Estimate:
    """Return the difference of two means with Welch's two-sided interval of the coverage `level`, 0..1.

    The samples are independent, and have two or more values each (Welch 1947, Biometrika 34).
    """
    mean = float(np.mean(first) - np.mean(second))
    if np.ptp(first) == np.ptp(second) == 0:  # scipy has no interval for this case
        return Estimate(mean, mean, mean)
    low, high = stats.ttest_ind(first, second, equal_var=False).confidence_interval(level)
    return Estimate(mean, float(low), float(high))
