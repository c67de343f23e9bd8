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


def test_places_do_not_collide():
    places = [(seed, epoch, step) for seed in range(12) for epoch in range(12) for step in range(12)]
    places += [("1", 2, 3), ("1,2", 3), (1, "2", 3), ("a", "b"), ("ab",), ()]
    assert len({derive_seed(*place) for place in places}) == len(places)


def test_a_numpy_number_is_refused_and_does_not_become_another_place():
    with pytest.raises(TypeError):
        derive_seed(np.int64(1))


def test_generators_start_at_their_place():
    assert numpy_generator(1, "a").random() == numpy_generator(1, "a").random() != numpy_generator(1, "b").random()
    assert python_random(1, "a").random() == python_random(1, "a").random() != python_random(1, "b").random()
    draws = []
    for place in ("a", "a", "b"):
        seed_torch(torch.device("cpu"), 1, place)
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] != draws[2]
