"""Batches of images that stay files, as a pure function of (epoch, step).

Loader processes decode and transform the images. Each image has its own seed key, (..., epoch, index). The bytes of a
batch therefore depend neither on the number of loader processes nor on the step at which an epoch is entered.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nasmake.core.errors import InputError
from nasmake.core.seeding import derive_seed
from nasmake.data.loading.arrays import BatchSource
from nasmake.data.loading.crops import on_device
from nasmake.data.preparing.decode import read_rgb

# An image, or the text of an error: an exception that leaves a loader process would have a traceback as its text.
Item = Tensor | str


class FileSource(BatchSource):
    """Batches of image files. Later batches are read while the current batch is trained on.

    Args:
        root: folder that the paths are relative to.
        paths: bytes [N].
        labels: int64 [N], on the device that trains.
        batch_size: see `BatchSource`.
        seed_key: see `BatchSource`.
        size: height and width of the images in pixels.
        mean: mean of each channel, with pixel values scaled to 0..1.
        std: standard deviation of each channel, in the same unit.
        workers: number of loader processes; with 0, this process reads the images.
        training: crop and resize at random, and flip if `augment` says so; else take the centre of the resized image.
        options: shuffle, augment and drop_last of `BatchSource`; `pad` of augment has no effect.
    """

    def __init__(
        self,
        root: Path,
        paths: NDArray[Any],
        labels: Tensor,
        batch_size: int,
        seed_key: tuple[int | str, ...],
        *,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        workers: int = 0,
        training: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(labels, batch_size, seed_key, **options)
        transform = transforms(size, mean, std, training=training, flip=self.augment.flip)
        self._images, self._workers = _Images(root, paths, transform, (*seed_key, "augment")), workers
        self._next: tuple[int, int] | None = None  # the epoch and step of the next batch of `_loaded`
        self._loaded: Iterator[list[Item]] = iter(())

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one step. Asking for the steps in order is fastest.

        Returns:
            Normalised images, float32 [n, 3, size, size] in the memory format, and labels, int64 [n].

        Raises:
            IndexError: the epoch has no such step.
            InputError: an image cannot be read.
        """
        rows = self.rows(epoch, step)
        if self._next != (epoch, step):
            batches = [[(epoch, row) for row in self.rows(epoch, later).tolist()] for later in range(step, len(self))]
            # With its own generator, the loader does not advance the generator that dropout draws from.
            options: dict[str, Any] = {"collate_fn": list, "generator": torch.Generator()}
            loader = DataLoader(self._images, batch_sampler=batches, num_workers=self._workers, **options)
            self._loaded = iter(loader)
        items = next(self._loaded)
        self._next = (epoch, step + 1)
        for item in items:
            if isinstance(item, str):
                raise InputError(item)
        images = on_device(torch.stack(items), self.labels.device)  # type: ignore[arg-type]
        images = images.to(memory_format=self.memory_format)
        if self.augment.cutout:
            count, _, *edges = images.shape
            images.masked_fill_(self.cutout_masks((count, *edges), epoch, step).unsqueeze(1), 0.0)
        return images, self.labels[rows]


def transforms(size: int, mean: Sequence[float], std: Sequence[float], *, training: bool, flip: bool) -> Any:
    """Return torchvision's transform from an RGB image of any size to float32 [3, size, size], normalised."""
    from nasmake.data.loading.torchvision_import import torchvision

    torchvision()
    from torchvision.transforms import v2

    if training:
        steps = [v2.RandomResizedCrop(size), *([v2.RandomHorizontalFlip()] if flip else [])]
    else:
        steps = [v2.Resize(round(size * 256 / 224)), v2.CenterCrop(size)]
    return v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


class _Images(Dataset[Item]):
    """The images as a loader process sees them. The key of an image is (epoch, index)."""

    def __init__(self, root: Path, paths: NDArray[Any], transform: Any, seed_key: tuple[int | str, ...]) -> None:
        self.root, self.paths, self.transform, self.seed_key = root, paths, transform, seed_key

    def __getitem__(self, key: tuple[int, int]) -> Item:
        epoch, index = key
        path = self.root / self.paths[index].decode()
        try:
            image = read_rgb(path)
        except Exception as error:  # decoders raise exceptions of many types for damaged files
            return f"{path}: cannot be read as an image ({' '.join(str(error).split())}); repair or remove it"
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(*self.seed_key, epoch, index))
            tensor: Tensor = self.transform(image).as_subclass(Tensor)
            return tensor
