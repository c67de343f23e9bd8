"""The test predictions of a network: its confusion matrix, and how well its confidences agree with its accuracy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import read_csv

BINS = 15


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image; `confidence` is the probability of the predicted class, 0..1."""

    label: int
    predicted: int
    confidence: float


def read_predictions(path: Path) -> list[Prediction]:
    """Read a test_predictions.csv, one prediction for each image; none if the data set has no test part.

    Raises:
        InputError: the file is missing or damaged.
    """
    rows = read_csv(path, columns=("label", "predicted", "confidence"))
    try:
        return [Prediction(int(row["label"]), int(row["predicted"]), float(row["confidence"])) for row in rows]
    except ValueError as error:
        raise InputError(f"{path}: {error}; expected numbers; type: rm {path}, then the same command again") from None


def confusion_matrix(predictions: Sequence[Prediction], classes: int) -> list[list[int]]:
    """Return the number of images of each class (row) that were predicted as each class (column)."""
    counts = Counter((one.label, one.predicted) for one in predictions)
    return [[counts[label, predicted] for predicted in range(classes)] for label in range(classes)]


def calibration_error(predictions: Sequence[Prediction], bins: int = BINS) -> float:
    """Return the expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 5), 0..1.

    The predictions are divided into bins of equal width by their confidence. The error is the mean over all images of
    the difference between accuracy and mean confidence in the bin of the image.

    Args:
        predictions: at least one.
        bins: number of bins.
    """
    gaps = [0.0] * bins  # sum of (confidence - correctness) in each bin
    for one in predictions:
        gaps[min(int(one.confidence * bins), bins - 1)] += one.confidence - (one.label == one.predicted)
    return sum(map(abs, gaps)) / len(predictions)
