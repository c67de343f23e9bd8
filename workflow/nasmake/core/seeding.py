"""Stateless randomness: every draw is a function of where in the study it is used.

No generator state has to be saved, so a stage that is killed and resumed draws what it would have drawn. The parts of
`seed_key` are e.g. (seed, "retrain", "augment", epoch, step); they are hashed, because sums of them would collide and
torch's CPU generator keeps the low 32 bits of a seed only.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import numpy as np

from nasmake.core.files import canonical_json

if TYPE_CHECKING:  # preparing data draws random numbers too, and must not load torch
    pass


def derive_seed(*seed_key: int | str) -> int:
    """Mix `seed_key` into 64 bits, the same on every platform; 1 and "1" are different places.

    Raises:
        TypeError: a part is neither a Python number nor text (a numpy integer would otherwise be a place of its own).
    """
    digest = hashlib.blake2b(canonical_json(seed_key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def numpy_generator(*seed_key: int | str) -> np.random.Generator:
    """A numpy generator that starts at `where`."""
    return np.random.Generator(np.random.Philox(key=derive_seed(*seed_key)))


def python_random(*seed_key: int | str) -> random.Random:
    """The standard library's generator, for a handful of draws: it starts three times as fast as numpy's."""
    return random.Random(derive_seed(*seed_key))
