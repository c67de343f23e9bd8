"""What a linear model makes of the same images: a result of search should lie above it."""

import numpy as np
from numpy.typing import NDArray

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


def logistic_regression(train: Labelled, test: Labelled) -> float:
    """Test accuracy (0..1) of multinomial logistic regression on the pixels, scaled to 0..1.

    Args:
        train: images uint8 [N, H, W, C] and labels int64 [N].
        test: likewise.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the number of threads changes the last bits
        model = LogisticRegression(max_iter=1000).fit(_flat(train[0]), train[1])
        return float(model.score(_flat(test[0]), test[1]))


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return images.reshape(len(images), -1) / 255.0
