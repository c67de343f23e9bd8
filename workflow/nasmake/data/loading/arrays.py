"""Batches of a data set in memory, as a pure function of (epoch, step).

Lightning's loader only counts steps. The images of a batch are gathered, cropped and flipped all at once, and then
normalised on the device that trains. This needs neither worker processes nor a saved position within an epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasmake.core.seeding import numpy_generator
from nasmake.data.loading.crops import CropPositions, GatheredWindows, RowWindows, on_device


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images.

    Attributes:
        pad: pixels of black on each side, before a window of the original size is cut out at random.
        flip: mirror half of the images left to right. This is wrong for images of text or digits.
        cutout: edge in pixels of a square that is set to the mean of the data set; 0 for none. The centre may be any
            pixel, so a part of the square can lie outside of the image (arXiv 1708.04552, section 3).
    """

    pad: int = 0
    flip: bool = False
    cutout: int = 0


class Share(NamedTuple):
    """The part of a batch that one of several processes trains on.

    Attributes:
        number: of the process, from 0.
        processes: number of processes.
    """

    number: int = 0
    processes: int = 1

    def part(self, count: int) -> slice:
        """Return the positions of the part in a batch of `count` images; parts differ by one image at most."""
        return slice(self.number * count // self.processes, (self.number + 1) * count // self.processes)


WHOLE = Share()


class BatchSource:
    """The batches of a data set. An epoch has `len(source)` steps, and `batch(epoch, step)` returns the data.

    Args:
        labels: int64 [N], on the device that trains.
        batch_size: number of images in a batch.
        seed_key: first parts of the seed keys of all random draws, such as (seed, "retrain").
        width: of the images in pixels.
        mean: mean of each of the C channels, with pixel values scaled to 0..1, as in the manifest.
        std: standard deviation of each channel, in the same unit.
        shuffle: draw a new order in every epoch.
        augment: random changes of the images.
        drop_last: leave out the images that do not fill a batch, because BatchNorm in training needs full batches. A
            data set that is smaller than one batch is one batch.
        memory_format: of the images.
    """

    def __init__(
        self,
        labels: Tensor,
        batch_size: int,
        seed_key: tuple[int | str, ...],
        *,
        width: int,
        mean: Sequence[float],
        std: Sequence[float],
        shuffle: bool = False,
        augment: Augmentation | None = None,
        drop_last: bool = False,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.labels, self.batch_size, self.seed_key = labels, batch_size, seed_key
        # One value for each element of an image row: a vector of three channels would be slow to broadcast.
        self.shift = labels.new_tensor(mean, dtype=torch.float32).mul_(255).repeat(width)
        # A channel without contrast has the standard deviation 0, by which nothing can be divided.
        self.scale = labels.new_tensor(std, dtype=torch.float32).mul_(255).clamp_(min=1).repeat(width)
        self.shuffle, self.augment, self.drop_last = shuffle, augment or Augmentation(), drop_last
        self.memory_format = memory_format
        self._order: tuple[int, Tensor] | None = None  # the newest epoch and its order of the images

    def __len__(self) -> int:
        if self.drop_last:
            return max(1, len(self.labels) // self.batch_size)
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def state_dict(self) -> dict[str, Any]:
        """Return no state. Lightning resumes in the middle of an epoch only if the loader has this method."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""

    def batch(self, epoch: int, step: int, share: Share = WHOLE) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one step.

        Args:
            epoch: number of the epoch.
            step: number of the step in the epoch.
            share: the part of the batch that is returned. An image of it is the same as in the whole batch.

        Returns:
            Normalised images, float32 [n, C, H, W] in the memory format, and labels, int64 [n].

        Raises:
            IndexError: the epoch has no such step.
        """
        rows = self.rows(epoch, step)
        part = share.part(len(rows))
        pixels = on_device(self.pixels(epoch, step, share), self.labels.device)
        images = pixels.flatten(2).to(torch.float32).sub_(self.shift).div_(self.scale).view(pixels.shape)
        if self.augment.cutout:
            masks = self.cutout_masks((len(rows), *images.shape[1:3]), epoch, step)[part]
            images.masked_fill_(masks.unsqueeze(-1), 0.0)
        return self.laid_out(images.permute(0, 3, 1, 2)), self.labels[on_device(rows[part], self.labels.device)]

    def pixels(self, epoch: int, step: int, share: Share) -> Tensor:
        """Return the cropped and flipped images of a part of one step, uint8 [n, H, W, C] on any device."""
        raise NotImplementedError

    def rows(self, epoch: int, step: int) -> Tensor:
        """Return the indices of the images of one step, int64 [n] on the CPU.

        Raises:
            IndexError: the epoch has no such step.
        """
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of an epoch of {len(self)}")
        if self._order is None or self._order[0] != epoch:
            count = len(self.labels)
            order = shuffled_order(count, self.seed_key, epoch) if self.shuffle else np.arange(count)
            self._order = epoch, torch.from_numpy(order)
        return self._order[1][step * self.batch_size : (step + 1) * self.batch_size]

    def cutout_masks(self, shape: Sequence[int], epoch: int, step: int) -> Tensor:
        """Draw the squares that are cut out of the images of one step.

        Args:
            shape: n, H and W of the batch.
            epoch: number of the epoch.
            step: number of the step in the epoch.

        Returns:
            Whether each pixel is cut out, bool [n, H, W].
        """
        count, *edges = shape
        generator, length = numpy_generator(*self.seed_key, "cutout", epoch, step), self.augment.cutout
        firsts = (generator.integers(0, edge, count) - length // 2 for edge in edges)
        rows, columns = (
            (np.arange(edge) >= first[:, None]) & (np.arange(edge) < first[:, None] + length)
            for edge, first in zip(edges, firsts, strict=True)
        )
        return on_device(torch.from_numpy(rows[:, :, None] & columns[:, None, :]), self.labels.device)

    def laid_out(self, images: Tensor) -> Tensor:
        """Return images [n, C, H, W], which are views of [n, H, W, C], in the memory format.

        Such a view is channels_last already. For one channel it also counts as contiguous, so only `clone` gives it the
        strides of a contiguous tensor, from which torch chooses its functions.
        """
        return images if self.memory_format == torch.channels_last else images.clone(memory_format=self.memory_format)


class ArraySource(BatchSource):
    """Batches of images in memory.

    Args:
        images: uint8 [N, H, W, C], on the device that trains or on the CPU.
        labels: int64 [N], on the device that trains.
        batch_size: see `BatchSource`.
        seed_key: see `BatchSource`.
        options: mean, std, shuffle, augment, drop_last and memory_format of `BatchSource`.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, batch_size: int, seed_key: tuple[int | str, ...], **options: Any
    ) -> None:
        super().__init__(labels, batch_size, seed_key, width=images.shape[2], **options)
        self._windows = (RowWindows if images.device.type == "cpu" else GatheredWindows)(images, self.augment.pad)

    def pixels(self, epoch: int, step: int, share: Share) -> Tensor:
        """Return the images of a part of one step where they lie; see `BatchSource.pixels`."""
        rows = self.rows(epoch, step)
        generator = numpy_generator(*self.seed_key, "augment", epoch, step)
        tops, lefts = generator.integers(0, 2 * self.augment.pad + 1, (2, len(rows)))
        mirrored = generator.random(len(rows)) < 0.5 if self.augment.flip else np.zeros(len(rows), np.bool_)
        part = share.part(len(rows))
        return self._windows.cut(rows[part], CropPositions(tops[part], lefts[part], mirrored[part]))


def shuffled_order(count: int, seed_key: tuple[int | str, ...], epoch: int) -> NDArray[np.int64]:
    """Return the order of `count` images in one epoch, int64 [count]."""
    return numpy_generator(*seed_key, "order", epoch).permutation(count)
