import subprocess
import sys

import numpy as np
import pytest
import torch
from nasmake.core.seeding import derive_seed, numpy_generator, python_random
from nasmake.engine.device import seed_torch


def test_seeds_are_64_bits_and_the_same_everywhere():
    assert derive_seed(0, "retrain", "order", 3) == 6277762688890316877
    code = "from nasmake.core.seeding import derive_seed; print(derive_seed(0, 'retrain', 'order', 3))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert int(printed) == derive_seed(0, "retrain", "order", 3) < 2**64


def test_seed_keys_do_not_collide():
    seed_keys = [(seed, epoch, step) for seed in range(12) for epoch in range(12) for step in range(12)]
    seed_keys += [("1", 2, 3), ("1,2", 3), (1, "2", 3), ("a", "b"), ("ab",), ()]
    assert len({derive_seed(*seed_key) for seed_key in seed_keys}) == len(seed_keys)


def test_a_numpy_number_is_refused_and_does_not_become_another_seed_key():
    with pytest.raises(TypeError):
        derive_seed(np.int64(1))


def test_generators_are_functions_of_their_seed_key():
    assert numpy_generator(1, "a").random() == numpy_generator(1, "a").random() != numpy_generator(1, "b").random()
    assert python_random(1, "a").random() == python_random(1, "a").random() != python_random(1, "b").random()
    draws = []
    for part in ("a", "a", "b"):
        seed_torch(torch.device("cpu"), 1, part)
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] != draws[2]
