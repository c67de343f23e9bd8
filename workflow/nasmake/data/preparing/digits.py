"""The digits of scikit-learn: 1,797 real 8x8 images of handwritten digits, in the package, without a download.

`digits` has them as they are. `digits_canvas` has each at a random place on a larger canvas with noise: the images are
real, their placement is not. It is harder, which spreads the accuracies of architectures.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.core.seeding import numpy_generator
from nasmake.data.prepared import DataSet, Split
from nasmake.data.splits import complement, stratified_choice

NUM_TEST = 597  # leaves 1,200 to train on
INK = 16  # the largest value of an original pixel
CANVAS = 12
NOISE = 0.2  # standard deviation, in units of the digit's own range; leaves a small network about 85 % right


def make_digits(settings: Mapping[str, Any]) -> DataSet:
    """The digits as uint8 [N, 8, 8, 1], 0 is paper and 255 is ink."""
    ink, labels = _load()
    return _split(np.rint(ink * 255).astype(np.uint8), labels)


def make_digits_canvas(settings: Mapping[str, Any]) -> DataSet:
    """The digits on noise as uint8 [N, 12, 12, 1], one canvas per image, the same images in train and test.

    A canvas is Gaussian noise plus the digit. Grey 0 and 255 lie two standard deviations beyond paper and ink: clipping
    at paper and ink themselves would remove half of the noise.
    """
    ink, labels = _load()
    generator = numpy_generator("digits_canvas")
    canvas = generator.normal(0, NOISE, (len(ink), CANVAS, CANVAS))
    corners = generator.integers(0, CANVAS - 8 + 1, (len(ink), 2))
    for image, digit, (top, left) in zip(canvas, ink, corners, strict=True):
        image[top : top + 8, left : left + 8] += digit
    margin = 2 * NOISE
    grey = np.rint((np.clip(canvas, -margin, 1 + margin) + margin) * (255 / (1 + 2 * margin)))
    return _split(grey.astype(np.uint8), labels)


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / INK, bunch.target.astype(np.int64)


def _split(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> DataSet:
    """Cut the test part off: the same for every seed, because all runs share the prepared folder."""
    test = stratified_choice(labels, NUM_TEST, numpy_generator("digits", "test"))
    train = complement(test, len(labels))
    images = images[..., None]
    return DataSet(
        classes=[str(digit) for digit in range(10)],
        train=Split(images[train], labels[train]),
        test=Split(images[test], labels[test]),
        source={"function": "sklearn.datasets.load_digits"},
    )
