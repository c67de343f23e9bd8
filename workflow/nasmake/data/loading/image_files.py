"""Batches of images that stay files, decoded and transformed in loader processes, as a pure function of (epoch, step).

Each image has a seed of its own, (..., epoch, index), so that neither the number of loader processes nor where an epoch
was entered changes a byte.
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
from nasmake.data.loading.arrays import Augmentation, BatchSource
from nasmake.data.preparing.decode import read_rgb

Item = Tensor | str  # an image, or why it could not be read: exceptions lose their one line on the way out of a worker


class FileSource(BatchSource):
    """As its base class says; the images are read while earlier batches are trained on.

    Args:
        root: folder that the paths are relative to.
        paths: bytes [N].
        labels: int64 [N], on the device that trains.
        size: edge of the images in pixels.
        workers: loader processes; 0 reads in this one.
        training: RandomResizedCrop, and a flip if `augment` has it; else the centre of the resized image.
        others: batch_size, where, mean, std, shuffle, augment (pad is not used) and drop_last, as the base class.
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
        shuffle: bool = False,
        augment: Augmentation | None = None,
        drop_last: bool = False,
    ) -> None:
        super().__init__(labels, batch_size, seed_key, shuffle=shuffle, augment=augment, drop_last=drop_last)
        chain = transforms(size, mean, std, training=training, flip=self.augment.flip)
        self._images, self._workers = _Images(root, paths, chain, (*seed_key, "augment")), workers
        self._next: tuple[int, int] | None = None  # where `_loaded` stands
        self._loaded: Iterator[list[Item]] = iter(())

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """The images and labels of one step; asked for in order, later ones are read ahead.

        Returns:
            Normalised float32 [n, 3, size, size] in channels_last memory, and int64 [n].

        Raises:
            IndexError: the epoch has no such step.
            InputError: an image cannot be read.
        """
        rows = self.rows(epoch, step)
        if self._next != (epoch, step):
            self._loaded = iter(self._loader(epoch, step))
        items = next(self._loaded)
        self._next = (epoch, step + 1)
        images = torch.stack(_readable(items)).to(self.labels.device, memory_format=torch.channels_last)
        if self.augment.cutout:
            shape = images.permute(0, 2, 3, 1).shape
            images.masked_fill_(self._draw_squares(shape, epoch, step).permute(0, 3, 1, 2), 0.0)
        return images, self.labels[rows]

    def _loader(self, epoch: int, first: int) -> DataLoader[Item]:
        batches = [[(epoch, row) for row in self.rows(epoch, step).tolist()] for step in range(first, len(self))]
        own = torch.Generator()  # else the loader would draw from the generator that dropout draws from
        return DataLoader(
            self._images, batch_sampler=batches, num_workers=self._workers, collate_fn=list, generator=own
        )


def transforms(size: int, mean: Sequence[float], std: Sequence[float], *, training: bool, flip: bool) -> Any:
    """Torchvision's from an RGB image of any size to normalised float32 [3, size, size]."""
    from nasmake.data.loading.torchvision_import import torchvision

    torchvision()
    from torchvision.transforms import v2

    if training:
        steps = [v2.RandomResizedCrop(size), *([v2.RandomHorizontalFlip()] if flip else [])]
    else:
        steps = [v2.Resize(round(size * 256 / 224)), v2.CenterCrop(size)]
    return v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


class _Images(Dataset[Item]):
    """What a loader process is given; an item's key is (epoch, index)."""

    def __init__(self, root: Path, paths: NDArray[Any], chain: Any, seed_key: tuple[int | str, ...]) -> None:
        self.root, self.paths, self.chain, self.seed_key = root, paths, chain, seed_key

    def __getitem__(self, key: tuple[int, int]) -> Item:
        epoch, index = key
        path = self.root / self.paths[index].decode()
        try:
            image = read_rgb(path)
        except Exception as error:  # decoders of damaged files raise anything
            return f"{path}: cannot be read as an image ({' '.join(str(error).split())}): repair or remove it"
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(*self.seed_key, epoch, index))
            tensor: Tensor = self.chain(image).as_subclass(Tensor)
            return tensor


def _readable(items: list[Item]) -> list[Tensor]:
    for item in items:
        if isinstance(item, str):
            raise InputError(item)
    return [item for item in items if isinstance(item, Tensor)]
