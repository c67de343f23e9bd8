"""Random draws without stored state: every draw is a function of its seed key.

A seed key names the place of a draw in the study, for example (seed, "retrain", "augment", epoch, step). No generator
state has to be saved. A stage that was killed and resumed makes the same draws as a stage that ran through.

Seed keys are hashed. Sums of their parts would collide, and torch's CPU generator uses only the low 32 bits of a seed.
Preparing data draws random numbers too and must not load torch; `engine.device.seed_torch` seeds torch.
"""

import hashlib
import random

import numpy as np

from nasmake.core.files import canonical_json


def derive_seed(*seed_key: int | str) -> int:
    """Hash a seed key to a number of 64 bits, which is the same on every platform.

    The number 1 and the text "1" are different parts of a key.

    Raises:
        TypeError: a part is neither a Python integer nor text. NumPy integers are refused: they would hash differently.
    """
    digest = hashlib.blake2b(canonical_json(seed_key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def numpy_generator(*seed_key: int | str) -> np.random.Generator:
    """Return a new NumPy generator that is seeded with `seed_key`."""
    return np.random.Generator(np.random.Philox(key=derive_seed(*seed_key)))


def python_random(*seed_key: int | str) -> random.Random:
    """Return a new generator of the standard library that is seeded with `seed_key`.

    Use this generator for a few draws: it starts three times as fast as NumPy's generator.
    """
    return random.Random(derive_seed(*seed_key))
