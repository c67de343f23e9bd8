"""Stratified splits: every class contributes its share of images, and the total is exact."""

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.core.seeding import numpy_generator

Indices = NDArray[np.int64]


def split_train_val(labels: NDArray[np.int64], num_val: int, seed: int) -> tuple[Indices, Indices]:
    """Divide the training images into train, and val for the scores of the search and of the trials.

    Args:
        labels: classes of the training images, int64 [N].
        num_val: number of images in val, 1 .. N - 1.
        seed: nas.seed.

    Returns:
        Sorted indices of train, int64 [N - num_val], and of val, int64 [num_val].

    Raises:
        InputError: train or val would be empty.
    """
    if not 1 <= num_val < len(labels):
        raise InputError(
            f"dataset.num_data_architecture_search is {num_val}; expected 1 .. {len(labels) - 1}, "
            f"because there are {len(labels)} training images"
        )
    val = stratified_choice(labels, num_val, numpy_generator(seed, "split"))
    return complement(val, len(labels)), val


def choose_classes(count: int, total: int, seed: int) -> Indices:
    """Draw the classes for supernet training and search.

    Args:
        count: number of classes to draw.
        total: number of all classes.
        seed: nas.seed.

    Returns:
        Sorted numbers of classes, int64 [count], from 0 .. total - 1.
    """
    return np.sort(numpy_generator(seed, "search_classes").permutation(total)[:count])


def stratified_choice(labels: NDArray[np.int64], count: int, generator: np.random.Generator) -> Indices:
    """Draw images so that each class has its share of them, rounded up or down.

    Args:
        labels: classes of the images, int64 [N].
        count: number of images to draw, at most N.
        generator: source of the draws.

    Returns:
        Sorted indices of the images, int64 [count].
    """
    classes, sizes = np.unique(labels, return_counts=True)
    drawn = [
        generator.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, largest_remainder(sizes, count), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def complement(indices: Indices, count: int) -> Indices:
    """Return the sorted numbers of 0 .. count - 1 that are not in `indices`, which must not repeat a number."""
    return np.setdiff1d(np.arange(count), indices, assume_unique=True)


def largest_remainder(sizes: Indices, total: int) -> Indices:
    """Divide `total` in the proportions of `sizes` by the largest remainder method.

    Every share is rounded down first. The shares with the largest remainders then get one more each.

    Args:
        sizes: int64 [K].
        total: sum of the shares.

    Returns:
        The shares, int64 [K].
    """
    shares, remainders = np.divmod(sizes * total, sizes.sum())  # exact, because these are integers
    left = total - shares.sum()
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares
