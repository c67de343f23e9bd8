"""The digits of scikit-learn: 1,797 real 8x8 images of handwritten digits, which need no download.

`digits` has the images as they are. `digits_canvas` puts each image at a random position on a larger canvas with noise.
Only the position and the noise are synthetic. This data set is harder and spreads the accuracies of architectures.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.core.seeding import numpy_generator
from nasmake.data.prepared import DataSet, Split
from nasmake.data.splits import complement, stratified_choice

NUM_TEST = 597  # images in test; 1,200 remain for train
INK = 16  # largest pixel value of scikit-learn's images
SIDE = 8  # pixels
CANVAS = 12  # height and width of a canvas in pixels
NOISE = 0.2  # standard deviation, for pixel values scaled to 0..1; a small network reaches an accuracy of about 85 %


def make_digits(settings: Mapping[str, Any]) -> DataSet:
    """Return the digits as uint8 [N, 8, 8, 1], where 0 is paper and 255 is ink. No setting has an effect."""
    ink, labels = _load()
    return _data_set(np.rint(ink * 255).astype(np.uint8), labels)


def make_digits_canvas(settings: Mapping[str, Any]) -> DataSet:
    """Return the digits on canvases as uint8 [N, 12, 12, 1], with the split of `digits`. No setting has an effect.

    A canvas is Gaussian noise plus the digit. Pixel values 0 and 255 lie two standard deviations of the noise beyond
    paper and ink. Clipping at paper and ink themselves would remove half of the noise.
    """
    ink, labels = _load()
    generator = numpy_generator("digits_canvas")
    canvas = generator.normal(0, NOISE, (len(ink), CANVAS, CANVAS))
    corners = generator.integers(0, CANVAS - SIDE + 1, (len(ink), 2))
    for image, digit, (top, left) in zip(canvas, ink, corners, strict=True):
        image[top : top + SIDE, left : left + SIDE] += digit
    margin = 2 * NOISE
    pixels = np.rint((np.clip(canvas, -margin, 1 + margin) + margin) * (255 / (1 + 2 * margin)))
    return _data_set(pixels.astype(np.uint8), labels)


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return images, float64 [N, 8, 8] from 0 (paper) to 1 (ink), and labels, int64 [N]."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / INK, bunch.target.astype(np.int64)


def _data_set(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> DataSet:
    """Split off the test images. The split has a fixed seed, because all runs share the prepared folder."""
    test = stratified_choice(labels, NUM_TEST, numpy_generator("digits", "test"))
    train = complement(test, len(labels))
    images = images[..., None]
    return DataSet(
        classes=[str(digit) for digit in range(10)],
        train=Split(images[train], labels[train]),
        test=Split(images[test], labels[test]),
        source={"function": "sklearn.datasets.load_digits"},
    )
