import pytest
from nasmake.report.intervals import difference, with_interval
from scipy.stats import binomtest


@pytest.mark.parametrize(("right", "images"), [(0, 10), (594, 597), (597, 597), (48, 80)])
def test_interval_of_an_accuracy_is_that_of_scipy(right, images):
    expected = binomtest(right, images).proportion_ci(method="wilson")
    found = with_interval(right / images, images)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)


def test_interval_of_a_difference_is_that_of_newcombes_table():
    found = difference(1.0, 0.0, 10)
    assert (round(found.low, 4), found.high) == (0.6075, 1.0)  # 10/10 - 0/10


def test_no_interval_without_images():
    assert with_interval(None, 10) is with_interval(0.5, 0) is difference(0.5, None, 10) is None
