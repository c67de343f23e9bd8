"""Throughput: cost look-ups and images per CPU second."""

import random
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nasmake.benchmarks import cpu_seconds, shipped_space, smallest_times
from nasmake.costs.table import CostTable
from nasmake.costs.units import units_of_space
from nasmake.data.loading.arrays import ArraySource, Augmentation
from nasmake.data.loading.image_files import FileSource

BATCH, COUNT = 128, 2048
FILES, FILE_SIZE, EDGE = 128, (500, 375), 224  # JPEG files, their width and height, and the edge of a training image
PASSES = 50  # epochs of an ArraySource in one measurement


def costed_per_second(spaces: Sequence[str], number: int = 100_000) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the number of architectures whose MACs, parameters and latency are looked up in one CPU second."""
    for name in spaces:
        yield name, {"per_second": number / _look_up_seconds(name, number)}


def _look_up_seconds(name: str, number: int) -> float:
    space, rng = shipped_space(name), random.Random(0)
    costs = CostTable(space, 3, 32, dict.fromkeys(units_of_space(space, 3, 32), 10**5))
    architectures = [space.sample(rng) for _ in range(number)]

    def look_up() -> None:
        for decisions in architectures:
            costs.of(decisions)

    look_up()
    return cpu_seconds(look_up)


def loaded_per_second(repeats: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the speeds of loading images in memory, and image files."""
    yield "images in memory", _images_per_second(repeats)
    yield "JPEG files", _files_per_second(repeats)


def _images_per_second(repeats: int) -> dict[str, float]:
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


def _files_per_second(repeats: int) -> dict[str, float]:
    """Return the JPEG files per CPU second of FileSource and of torchvision's ImageFolder with the same changes.

    Both sides load in this process: the CPU time of loader processes would be known at their end only.

    Returns:
        Both speeds, from the smallest of `n` times each, and their ratio.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_files(folder / "class")
        paths = np.array([str(path.relative_to(folder)).encode() for path in (folder / "class").iterdir()])
        labels, augment = torch.zeros(FILES, dtype=torch.int64), Augmentation(flip=True)
        scale: dict[str, Any] = {"mean": [0.5] * 3, "std": [0.25] * 3}
        source = FileSource(
            folder, paths, labels, BATCH, (0, "bench"), size=EDGE, training=True, shuffle=True, augment=augment, **scale
        )
        loader, epochs = _folder_loader(folder), count()
        times = smallest_times([lambda: source.batch(next(epochs), 0), partial(deque, loader, maxlen=0)], repeats)
    speed = {"files": FILES / times[0], "torchvision": FILES / times[1]}
    return speed | {"ratio": speed["files"] / speed["torchvision"], "n": repeats}


def _write_files(folder: Path) -> None:
    """Write JPEG files as large as photos of this size are: coarse noise, enlarged, under fine noise."""
    from PIL import Image

    folder.mkdir()
    generator = np.random.Generator(np.random.Philox(0))
    for number in range(FILES):
        coarse = Image.fromarray(generator.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize(FILE_SIZE)
        fine = np.asarray(coarse) + generator.normal(0, 8, (*FILE_SIZE[::-1], 3))
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=90)


def _folder_loader(folder: Path) -> Any:
    from torch.utils.data import DataLoader

    from nasmake.data.loading.torchvision_import import torchvision

    transforms = torchvision().transforms
    steps = [transforms.RandomResizedCrop(EDGE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    chain = transforms.Compose([*steps, transforms.Normalize((0.5,) * 3, (0.25,) * 3)])
    return DataLoader(torchvision().datasets.ImageFolder(str(folder), chain), BATCH, shuffle=True)


def _pil_loader(pixels: np.ndarray[Any, Any]) -> Any:
    from PIL import Image
    from torch.utils.data import DataLoader

    from nasmake.data.loading.torchvision_import import torchvision

    transforms = torchvision().transforms
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    chain = transforms.Compose([*steps, transforms.Normalize((0.5,) * 3, (0.25,) * 3)])
    samples: Any = [(Image.fromarray(image), 0) for image in pixels]
    return DataLoader(samples, BATCH, shuffle=True, collate_fn=lambda batch: torch.stack([chain(p) for p, _ in batch]))
