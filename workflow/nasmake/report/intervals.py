"""Intervals of accuracies: how far another draw of as many images could move them. It imports core only.

The intervals have a coverage of 95 %. They know nothing of the luck of a training, nor of the choice of the best trial.
"""

import math
from statistics import NormalDist

from nasmake.core.records import Estimate

Z = NormalDist().inv_cdf((1 + 0.95) / 2)
DIGITS = 6  # beyond them another machine could round in another way


def with_interval(accuracy: float | None, images: int | None) -> Estimate | None:
    """Return an accuracy with Wilson's score interval (Wilson 1927, JASA 22, 209-212).

    Args:
        accuracy: share of the images that were classified correctly, 0..1.
        images: their number. If it is 0 or one of the arguments is None, there is no interval.
    """
    if accuracy is None or not images:
        return None
    scale = 1 + Z**2 / images
    centre = (accuracy + Z**2 / (2 * images)) / scale
    half = Z / scale * math.sqrt(accuracy * (1 - accuracy) / images + (Z / (2 * images)) ** 2)
    return _estimate(accuracy, accuracy - centre + half, centre + half - accuracy)


def difference(accuracy: float | None, other: float | None, images: int | None) -> Estimate | None:
    """Return `accuracy - other` with an interval that holds if each was measured on images of its own.

    This is method 10 of Newcombe 1998 (Statistics in Medicine 17, 873-890). Both accuracies are in fact measured on the
    same images, where two networks tend to fail together. The true interval is then narrower.
    """
    first, second = with_interval(accuracy, images), with_interval(other, images)
    if first is None or second is None:
        return None
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return _estimate(first.value - second.value, below, above)


def _estimate(value: float, below: float, above: float) -> Estimate:
    low, high = (round(limit, DIGITS) + 0.0 for limit in (value - below, value + above))  # -0.0 becomes 0.0
    return Estimate(value, low, high)
