"""Test accuracy of a linear model on the same images: the least that a searched network should reach.

This module imports scikit-learn when it is needed, and nothing of nasmake.
"""

import numpy as np
from numpy.typing import NDArray

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


def logistic_regression(train: Labelled, test: Labelled) -> float:
    """Return the test accuracy (0..1) of multinomial logistic regression on the pixels, scaled to 0..1.

    Args:
        train: images uint8 [N, H, W, C] and labels int64 [N].
        test: images and labels of the same form.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train_pixels, test_pixels = (images.reshape(len(images), -1) / 255.0 for images, _ in (train, test))
    with threadpool_limits(1):  # the number of threads changes the last bits
        model = LogisticRegression(max_iter=1000).fit(train_pixels, train[1])
        return float(model.score(test_pixels, test[1]))
