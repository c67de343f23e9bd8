"""One window out of each image of a batch, mirrored where asked. Exact: nothing is computed with the pixels.

`RowWindows` and `GatheredWindows` give the same bytes. The first copies whole rows of pixels by numpy, ten times as
fast as torch gathers single pixels on a CPU; the second is for devices that numpy does not reach.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class CropPositions:
    """Where the windows of a batch are.

    Attributes:
        tops: first row of each window in its padded image, int64 [n].
        lefts: first column, likewise.
        mirrored: whether the window is mirrored, left to right, bool [n].
    """

    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


class RowWindows:
    """Windows of images in the memory of the CPU.

    Args:
        images: uint8 [N, H, W, C].
        border: pixels of black added to each side.
    """

    def __init__(self, images: Tensor, border: int) -> None:
        count, self.height, self.width, self.channels = images.shape
        pixels = padded(images, border).numpy().reshape(count, self.height + 2 * border, -1)
        windows = sliding_window_view(pixels, (self.height, self.width * self.channels), axis=(1, 2))
        self.windows = windows[:, :, :: self.channels]  # a view: [N, 2 border + 1, 2 border + 1, H, W * C]
        self.backwards = np.arange(self.width * self.channels).reshape(self.width, -1)[::-1].ravel()

    def cut(self, rows: Tensor, positions: CropPositions) -> Tensor:
        """The windows of the images `rows`, uint8 [n, H, W, C] in memory of their own."""
        cut = self.windows[rows.numpy(), positions.tops, positions.lefts]
        cut[positions.mirrored] = cut[positions.mirrored].take(self.backwards, axis=-1)
        return torch.from_numpy(cut).view(len(cut), self.height, self.width, self.channels)


class GatheredWindows:
    """Windows of images on any device, by one gather; arguments and result are those of `RowWindows`."""

    def __init__(self, images: Tensor, border: int) -> None:
        self.height, self.width = images.shape[1:3]
        self.padded = padded(images, border)

    def cut(self, rows: Tensor, positions: CropPositions) -> Tensor:
        """The windows of the images `rows`, uint8 [n, H, W, C]."""
        columns = np.arange(self.width)
        ys_nh = positions.tops[:, None] + np.arange(self.height)
        xs_nw = positions.lefts[:, None] + np.where(positions.mirrored[:, None], columns[::-1], columns)
        ys, xs = (torch.from_numpy(index).to(rows.device) for index in (ys_nh, xs_nw))
        return self.padded[rows[:, None, None], ys[:, :, None], xs[:, None, :]]


def padded(images: Tensor, border: int) -> Tensor:
    """[N, H, W, C] with `border` black pixels more on each side; the images themselves if it is 0."""
    return pad(images, (0, 0, border, border, border, border)) if border else images
