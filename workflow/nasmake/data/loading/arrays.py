"""Batches of an in-memory data set as a pure function of (epoch, step).

What Lightning iterates over only counts steps; the images are gathered, cropped, flipped and normalised on the device
that trains, a whole batch at a time. So there are no worker processes and no position to save.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasmake.core.seeding import numpy_generator
from nasmake.data.loading.crops import CropPositions, GatheredWindows, RowWindows


@dataclass(frozen=True)
class Augmentation:
    """What happens to training images.

    Attributes:
        pad: pixels of black added to each side, before a window of the original size is cut out at random.
        flip: mirror every other image, left to right; wrong for anything that is written.
        cutout: edge in pixels of a square that is set to the mean of the data set; its centre may be any pixel, so that
            it can reach out of the image (DeVries and Taylor, arXiv 1708.04552, section 3). 0 for none.
    """

    pad: int = 0
    flip: bool = False
    cutout: int = 0


class BatchSource:
    """An epoch is `len(source)` steps; `batch(epoch, step)` makes the data.

    Args:
        labels: int64 [N], on the device that trains.
        batch_size: images per batch.
        seed_key: the place of all random draws, such as (seed, "retrain").
        shuffle: draw a new order in every epoch.
        augment: random crops and flips.
        drop_last: leave the images that do not fill a batch out, as BatchNorm wants it in training; a set that is
            smaller than one batch is one batch.
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
    ) -> None:
        self.batch_size, self.seed_key, self.shuffle = batch_size, seed_key, shuffle
        self.augment, self.drop_last = augment or Augmentation(), drop_last
        self.labels = labels
        self._order = lru_cache(maxsize=1)(self._draw_order)

    def __len__(self) -> int:
        if self.drop_last:
            return max(1, len(self.labels) // self.batch_size)
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def state_dict(self) -> dict[str, Any]:
        """Nothing; that it exists tells Lightning that resuming in the middle of an epoch is supported."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing back."""

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """The images and labels of one step.

        Returns:
            Normalised float32 [n, C, H, W] in channels_last memory, and int64 [n].

        Raises:
            IndexError: the epoch has no such step.
        """
        raise NotImplementedError

    def rows(self, epoch: int, step: int) -> Tensor:
        """Which images a batch has.

        Raises:
            IndexError: the epoch has no such step.
        """
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of an epoch of {len(self)}")
        return self._order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]

    def _draw_order(self, epoch: int) -> Tensor:
        count = len(self.labels)
        order = numpy_generator(*self.seed_key, "order", epoch).permutation(count) if self.shuffle else np.arange(count)
        return torch.from_numpy(order).to(self.labels.device)

    def _draw_squares(self, shape: Sequence[int], epoch: int, step: int) -> Tensor:
        """Pixels that are cut out of the images [n, H, W, C], bool [n, H, W, 1]."""
        count, *edges, _ = shape
        generator, length = numpy_generator(*self.seed_key, "cutout", epoch, step), self.augment.cutout
        firsts = (generator.integers(0, edge, count) - length // 2 for edge in edges)
        rows, columns = (
            (np.arange(edge) >= first[:, None]) & (np.arange(edge) < first[:, None] + length)
            for edge, first in zip(edges, firsts, strict=True)
        )
        return torch.from_numpy(rows[:, :, None, None] & columns[:, None, :, None]).to(self.labels.device)


class ArraySource(BatchSource):
    """Batches of images in memory.

    Args:
        images: uint8 [N, H, W, C], on the device that trains.
        labels: int64 [N], on the same device.
        batch_size: as the base class.
        seed_key: likewise.
        mean: of each channel, in units of the grey range (0..1), as the manifest has it.
        std: likewise.
        options: shuffle, augment and drop_last of the base class.
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
        # One value per element of an image row: a vector of three channels would be slow to broadcast.
        self.shift = images.new_tensor(mean, dtype=torch.float32).mul_(255).repeat(images.shape[2])
        # A channel without any contrast has no standard deviation to divide by.
        self.scale = images.new_tensor(std, dtype=torch.float32).mul_(255).clamp_(min=1).repeat(images.shape[2])

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """As its base class says."""
        rows = self.rows(epoch, step)
        images = self._windows.cut(rows, self._draw_positions(len(rows), epoch, step))
        normalised = images.flatten(2).to(torch.float32).sub_(self.shift).div_(self.scale).view(images.shape)
        if self.augment.cutout:
            normalised.masked_fill_(self._draw_squares(normalised.shape, epoch, step), 0.0)
        return normalised.permute(0, 3, 1, 2), self.labels[rows]  # NHWC seen as NCHW is channels_last

    def _draw_positions(self, count: int, epoch: int, step: int) -> CropPositions:
        generator = numpy_generator(*self.seed_key, "augment", epoch, step)
        tops, lefts = generator.integers(0, 2 * self.augment.pad + 1, (2, count))
        mirrored = generator.random(count) < 0.5 if self.augment.flip else np.zeros(count, np.bool_)
        return CropPositions(tops, lefts, mirrored)
