"""Throughput: cost look-ups and images per CPU second."""

import random
from collections import deque
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from nasmake.benchmarks import cpu_seconds, shipped_space, smallest_times
from nasmake.costs.table import CostTable
from nasmake.costs.units import units_of_space
from nasmake.data.loading.arrays import ArraySource, Augmentation

BATCH, COUNT = 128, 2048
PASSES = 50  # epochs of an ArraySource in one measurement


def costed_per_second(name: str, number: int = 100_000) -> float:
    """Return the number of architectures whose MACs, parameters and latency are looked up in one CPU second."""
    space, rng = shipped_space(name), random.Random(0)
    costs = CostTable(space, 3, 32, dict.fromkeys(units_of_space(space, 3, 32), 10**5))
    architectures = [space.sample(rng) for _ in range(number)]

    def look_up() -> None:
        for decisions in architectures:
            costs.of(decisions)

    look_up()
    return number / cpu_seconds(look_up)


def images_per_second(repeats: int = 5) -> dict[str, float]:
    """Return the cropped, flipped and normalised 32x32 images per CPU second of ArraySource and of a PIL DataLoader.

    A time is one epoch of the loader, or `PASSES` epochs of ArraySource, which take about as long. A side with shorter
    measurements would more often meet a moment without other load.

    Returns:
        Both speeds, from the smallest of `n` times each, and their ratio.
    """
    generator = np.random.Generator(np.random.Philox(0))
    pixels = generator.integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    source = ArraySource(
        torch.from_numpy(pixels),
        torch.zeros(COUNT, dtype=torch.int64),
        BATCH,
        (0, "bench"),
        mean=[0.5] * 3,
        std=[0.25] * 3,
        shuffle=True,
        augment=Augmentation(pad=4, flip=True),
    )
    loader, epochs = _pil_loader(pixels), count()

    def make_batches() -> None:
        for epoch in islice(epochs, PASSES):
            for step in source:
                source.batch(epoch, step)

    batches, pil = smallest_times([make_batches, partial(deque, loader, maxlen=0)], repeats)
    speed = {"batches": COUNT * PASSES / batches, "pil": COUNT / pil}
    return speed | {"ratio": speed["batches"] / speed["pil"], "n": repeats}


def _pil_loader(pixels: np.ndarray[Any, Any]) -> Any:
    from PIL import Image
    from torch.utils.data import DataLoader

    from nasmake.data.loading.torchvision_import import torchvision

    transforms = torchvision().transforms
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    chain = transforms.Compose([*steps, transforms.Normalize((0.5,) * 3, (0.25,) * 3)])
    samples: Any = [(Image.fromarray(image), 0) for image in pixels]
    return DataLoader(samples, BATCH, shuffle=True, collate_fn=lambda batch: torch.stack([chain(p) for p, _ in batch]))
