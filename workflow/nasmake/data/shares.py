"""How many images of each class a stratified choice takes. The Snakefile imports this module, so it loads no NumPy."""

from collections.abc import Sequence


def largest_remainder(sizes: Sequence[int], total: int) -> list[int]:
    """Divide `total` in the proportions of `sizes` by the largest remainder method.

    Every share is rounded down first. The shares with the largest remainders then get one more each.

    Args:
        sizes: K numbers.
        total: sum of the shares.

    Returns:
        K shares.
    """
    whole = sum(sizes)
    shares, remainders = zip(*(divmod(size * total, whole) for size in sizes), strict=True)
    largest = set(sorted(range(len(sizes)), key=lambda index: -remainders[index])[: total - sum(shares)])
    return [share + (index in largest) for index, share in enumerate(shares)]


def leave_one(sizes: Sequence[int], total: int) -> list[int]:
    """Divide `total` like `largest_remainder`, but leave at least one image of each class.

    The shares are those of `largest_remainder` if these leave one of each. Otherwise the class that has most images
    left gives one more, until the total is exact.

    Args:
        sizes: number of images of each of the K classes, 1 or more.
        total: sum of the shares, at most the sum of `sizes` less K.

    Returns:
        K shares.
    """
    shares = [min(share, size - 1) for share, size in zip(largest_remainder(sizes, total), sizes, strict=True)]
    for _ in range(total - sum(shares)):
        left = [size - share for share, size in zip(shares, sizes, strict=True)]
        shares[left.index(max(left))] += 1
    return shares
