"""Batches of a data set in memory, as a pure function of (epoch, step).

Lightning's loader only counts steps. The images of a batch are gathered, cropped, flipped and normalised all at once on
the device that trains. This needs neither worker processes nor a saved position within an epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
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


class BatchSource:
    """The batches of a data set. An epoch has `len(source)` steps, and `batch(epoch, step)` returns the data.

    Args:
        labels: int64 [N], on the device that trains.
        batch_size: number of images in a batch.
        seed_key: first parts of the seed keys of all random draws, such as (seed, "retrain").
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
        shuffle: bool = False,
        augment: Augmentation | None = None,
        drop_last: bool = False,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.labels, self.batch_size, self.seed_key = labels, batch_size, seed_key
        self.shuffle, self.augment, self.drop_last = shuffle, augment or Augmentation(), drop_last
        self.memory_format = memory_format
        self._order = lru_cache(maxsize=1)(self._draw_order)

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

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one step.

        Returns:
            Normalised images, float32 [n, C, H, W] in the memory format, and labels, int64 [n].

        Raises:
            IndexError: the epoch has no such step.
        """
        raise NotImplementedError

    def rows(self, epoch: int, step: int) -> Tensor:
        """Return the indices of the images of one step, int64 [n].

        Raises:
            IndexError: the epoch has no such step.
        """
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of an epoch of {len(self)}")
        return self._order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]

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

    def _draw_order(self, epoch: int) -> Tensor:
        count = len(self.labels)
        order = numpy_generator(*self.seed_key, "order", epoch).permutation(count) if self.shuffle else np.arange(count)
        return torch.from_numpy(order).to(self.labels.device)


class ArraySource(BatchSource):
    """Batches of images in memory.

    Args:
        images: uint8 [N, H, W, C], on the device that trains.
        labels: int64 [N], on the same device.
        batch_size: see `BatchSource`.
        seed_key: see `BatchSource`.
        mean: mean of each of the C channels, with pixel values scaled to 0..1, as in the manifest.
        std: standard deviation of each channel, in the same unit.
        options: shuffle, augment, drop_last and memory_format of `BatchSource`.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        seed_key: tuple[int | str, ...],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        **options: Any,
    ) -> None:
        super().__init__(labels, batch_size, seed_key, **options)
        self._windows = (RowWindows if images.device.type == "cpu" else GatheredWindows)(images, self.augment.pad)
        # One value for each element of an image row: a vector of three channels would be slow to broadcast.
        self.shift = images.new_tensor(mean, dtype=torch.float32).mul_(255).repeat(images.shape[2])
        # A channel without contrast has the standard deviation 0, by which nothing can be divided.
        self.scale = images.new_tensor(std, dtype=torch.float32).mul_(255).clamp_(min=1).repeat(images.shape[2])

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one step; see `BatchSource.batch`."""
        rows = self.rows(epoch, step)
        generator = numpy_generator(*self.seed_key, "augment", epoch, step)
        tops, lefts = generator.integers(0, 2 * self.augment.pad + 1, (2, len(rows)))
        mirrored = generator.random(len(rows)) < 0.5 if self.augment.flip else np.zeros(len(rows), np.bool_)
        images = self._windows.cut(rows, CropPositions(tops, lefts, mirrored))
        normalised = images.flatten(2).to(torch.float32).sub_(self.shift).div_(self.scale).view(images.shape)
        if self.augment.cutout:
            masks = self.cutout_masks(normalised.shape[:3], epoch, step)
            normalised.masked_fill_(masks.unsqueeze(-1), 0.0)
        return self.laid_out(normalised.permute(0, 3, 1, 2)), self.labels[rows]
