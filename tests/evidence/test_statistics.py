"""Rank correlations and intervals, against values worked out by hand and simulations."""

import numpy as np
import pytest
from nasmake.evidence import statistics
from nasmake.evidence.statistics import bootstrap, null_deviation, partial_tau, spearman, t_interval, tau


def test_tau_counts_pairs():
    assert tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)  # 5 pairs agree, 1 does not
    assert tau([1, 2, 3], [3, 2, 1]) == -1


def test_tau_b_corrects_for_ties():
    # x has one tied pair: 4 of 6 pairs agree, 1 disagrees, and the mean of both counts is sqrt(5 x 6).
    assert tau([1, 1, 2, 3], [1, 2, 4, 3]) == pytest.approx((4 - 1) / np.sqrt(5 * 6))


def test_spearman_of_squared_differences():
    assert spearman([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(1 - 6 * 2 / (4 * 15))


@pytest.mark.parametrize("correlation", [tau, spearman])
def test_what_is_constant_tells_nothing(correlation):
    assert correlation([1, 1, 1], [1, 2, 3]) == 0


def test_partial_tau_by_hand():
    x, y, z = [1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]
    xy, xz, yz = 4 / 6, 4 / 6, 2 / 6  # y and z: 4 pairs agree, 2 do not
    assert partial_tau(x, y, z) == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


def test_partial_tau_is_nothing_where_the_third_explains_all():
    assert partial_tau([1, 2, 3, 4], [1, 3, 2, 4], [2, 4, 6, 8]) == 0


def test_null_deviation_is_that_of_shuffled_rankings():
    assert null_deviation(24) == pytest.approx(0.146, abs=5e-4)
    rng = np.random.default_rng(0)
    taus = [tau(np.arange(24), rng.permutation(24)) for _ in range(2000)]
    assert np.std(taus) == pytest.approx(null_deviation(24), rel=0.08)


def test_t_interval_by_table():
    estimate = t_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.90)
    assert estimate.value == 3
    assert estimate.high - 3 == pytest.approx(2.132 * np.sqrt(2.5 / 5), abs=1e-3)  # t(.95; 4 degrees) = 2.132
    assert 3 - estimate.low == pytest.approx(estimate.high - 3)


def test_bootstrap_covers_the_standard_error_of_a_mean_and_repeats():
    values = np.random.default_rng(1).normal(size=100)
    estimate = bootstrap(lambda at: float(values[at].mean()), (100,), ("test",), 0.95)
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.high - estimate.low) / (2 * 1.96) == pytest.approx(values.std() / 10, rel=0.15)
    assert estimate == bootstrap(lambda at: float(values[at].mean()), (100,), ("test",), 0.95)
    assert estimate != bootstrap(lambda at: float(values[at].mean()), (100,), ("elsewhere",), 0.95)
    assert statistics.RESAMPLES >= 1000
