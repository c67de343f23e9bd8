"""Stratified splits: each class gives its share, and the total is exact."""

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.core.seeding import numpy_generator

Indices = NDArray[np.int64]


def split_train_val(labels: NDArray[np.int64], num_val: int, seed: int) -> tuple[Indices, Indices]:
    """Set `num_val` training images aside for the search and the objective of the HPO.

    Args:
        labels: classes of the training images, [N].
        num_val: how many images are set aside, in all.
        seed: of the run.

    Returns:
        Indices of the images to train on, and of those set aside; both sorted.

    Raises:
        InputError: `num_val` leaves one of the two empty.
    """
    if not 1 <= num_val < len(labels):
        raise InputError(
            f"dataset.num_data_architecture_search: {num_val} of {len(labels)} training images cannot be set aside; "
            f"set it to a number from 1 to {len(labels) - 1}"
        )
    val = stratified_choice(labels, num_val, numpy_generator(seed, "split"))
    return complement(val, len(labels)), val


def choose_classes(count: int, total: int, seed: int) -> Indices:
    """Draw `count` of the classes 0 .. total - 1, for supernet training and search; sorted."""
    return np.sort(numpy_generator(seed, "search_classes").permutation(total)[:count])


def stratified_choice(labels: NDArray[np.int64], count: int, generator: np.random.Generator) -> Indices:
    """Draw `count` indices, so that each class has its share of them (rounded up or down); sorted."""
    classes, sizes = np.unique(labels, return_counts=True)
    drawn = [
        generator.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, largest_remainder(sizes, count), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def complement(indices: Indices, count: int) -> Indices:
    """Those of 0 .. count - 1 that are not in `indices`; sorted."""
    return np.setdiff1d(np.arange(count), indices, assume_unique=True)


def largest_remainder(sizes: Indices, total: int) -> Indices:
    """Divide `total` in the proportions of `sizes`: round down, then give what is left to the largest remainders."""
    shares, remainders = np.divmod(sizes * total, sizes.sum())  # integers: no rounding decides
    left = total - shares.sum()
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares
