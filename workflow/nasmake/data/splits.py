"""Stratified splits: every class contributes its share of images, and the total is exact."""

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.core.seeding import numpy_generator
from nasmake.data.shares import leave_one

Indices = NDArray[np.int64]


def choose_part(labels: NDArray[np.int64], num_train: int | None, seed: int) -> Indices:
    """Draw the training images that a study uses: a stratified part with at least one image of each class.

    Args:
        labels: classes of all training images, int64 [N].
        num_train: number of images to use; None for all.
        seed: nas.seed.

    Returns:
        Sorted indices of the images, int64 [num_train].

    Raises:
        InputError: there are fewer images than `num_train`, or more classes.
    """
    classes, count = len(np.unique(labels)), len(labels)
    if num_train is None:
        return np.arange(count)
    if not classes <= num_train <= count:
        raise InputError(
            f"dataset.num_train is {num_train}; expected {classes} .. {count}, because there are {count} training "
            f"images of {classes} classes"
        )
    generator = numpy_generator(seed, "part")
    return complement(stratified_choice(labels, count - num_train, generator), count)


def split_train_val(labels: NDArray[np.int64], num_val: int, seed: int) -> tuple[Indices, Indices]:
    """Divide the training images into train, and val for the scores of the search and of the trials.

    Each class has its share of images in val, but at least one image in train.

    Args:
        labels: classes of the training images, int64 [N].
        num_val: number of images in val.
        seed: nas.seed.

    Returns:
        Sorted indices of train, int64 [N - num_val], and of val, int64 [num_val].

    Raises:
        InputError: val would be empty, or train would not have an image of each class.
    """
    classes, count = len(np.unique(labels)), len(labels)
    if not 1 <= num_val <= count - classes:
        raise InputError(
            f"dataset.num_data_architecture_search is {num_val}; expected 1 .. {count - classes}, because there are "
            f"{count} training images, and each of the {classes} classes keeps one"
        )
    val = stratified_choice(labels, num_val, numpy_generator(seed, "split"))
    return complement(val, count), val


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
    """Draw images so that each class has its share of them, see `leave_one`.

    Args:
        labels: classes of the images, int64 [N].
        count: number of images to draw, at most N less the number of classes.
        generator: source of the draws.

    Returns:
        Sorted indices of the images, int64 [count].
    """
    classes, sizes = np.unique(labels, return_counts=True)
    drawn = [
        generator.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, leave_one(sizes.tolist(), count), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def complement(indices: Indices, count: int) -> Indices:
    """Return the sorted numbers of 0 .. count - 1 that are not in `indices`, which must not repeat a number."""
    return np.setdiff1d(np.arange(count), indices, assume_unique=True)
