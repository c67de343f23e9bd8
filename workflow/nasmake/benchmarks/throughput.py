"""Things done per second: architectures costed, images made into batches."""

import random
from collections import deque
from functools import partial
from typing import Any

import numpy as np
import torch

from nasmake.benchmarks import cpu_seconds, shipped_space
from nasmake.costs.table import CostTable
from nasmake.costs.units import units_of_space
from nasmake.data.loading.arrays import ArraySource, Augmentation, BatchSource

BATCH, COUNT = 128, 2048
PASSES = 50  # of our batches in one measurement


def costed_per_second(name: str, count: int = 100_000) -> float:
    """Architectures whose MACs, parameters and latency are looked up in one CPU second."""
    space, rng = shipped_space(name), random.Random(0)
    costs = CostTable(space, 3, 32, dict.fromkeys(units_of_space(space, 3, 32), 10**5))
    drawn = [space.sample(rng) for _ in range(count)]

    def look_up() -> None:
        for decisions in drawn:
            costs.of(decisions)

    look_up()
    return count / cpu_seconds(look_up)


def images_per_second(repeats: int = 5) -> dict[str, float]:
    """Cropped, flipped, normalised 32x32 images in one CPU second: our batches, and PIL transforms in a DataLoader.

    Returns:
        Both speeds, from the smallest of `n` times each, and their ratio. A time is one pass of the loader or `PASSES`
        of ours, which take about as long, so that neither side picks a shorter quiet moment.
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
    loader = _pil_loader(pixels)
    ours, theirs = [], []
    for repeat in range(repeats + 1):
        ours.append(cpu_seconds(partial(_passes, source, repeat)) / PASSES)
        theirs.append(cpu_seconds(partial(deque, loader, maxlen=0)))
    speed = {"batches": COUNT / min(ours[1:]), "pil": COUNT / min(theirs[1:])}  # the first are for warming up
    return speed | {"ratio": speed["batches"] / speed["pil"], "n": repeats}


def _passes(source: BatchSource, repeat: int) -> None:
    for epoch in range(repeat * PASSES, (repeat + 1) * PASSES):
        for step in source:
            source.batch(epoch, step)


def _pil_loader(pixels: np.ndarray[Any, Any]) -> Any:
    from PIL import Image
    from torch.utils.data import DataLoader

    from nasmake.data.loading.torchvision_import import torchvision

    transforms = torchvision().transforms
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    change = transforms.Compose([*steps, transforms.Normalize((0.5,) * 3, (0.25,) * 3)])
    pictures = [Image.fromarray(image) for image in pixels]
    samples: Any = [(picture, 0) for picture in pictures]
    return DataLoader(samples, BATCH, shuffle=True, collate_fn=lambda batch: torch.stack([change(p) for p, _ in batch]))
