"""Cut one window out of each image of a batch, and mirror some of them. Pixels are copied, never computed.

`RowWindows` and `GatheredWindows` return the same bytes. `RowWindows` copies whole rows of pixels with NumPy, which is
ten times as fast on a CPU as gathering single pixels with torch. `GatheredWindows` works on every device.
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
    """The position of one window in each image of a batch of n images.

    Attributes:
        tops: first row of each window in its padded image, int64 [n], from 0 to 2 x border.
        lefts: first column of each window in its padded image, int64 [n], from 0 to 2 x border.
        mirrored: whether each window is mirrored left to right, bool [n].
    """

    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


class RowWindows:
    """Windows of images in the memory of the CPU.

    Args:
        images: uint8 [N, H, W, C].
        border: pixels of black on each side. A window has the size of an image without the border.
    """

    def __init__(self, images: Tensor, border: int) -> None:
        count, self.height, self.width, self.channels = images.shape
        pixels = padded(images, border).numpy().reshape(count, self.height + 2 * border, -1)
        windows = sliding_window_view(pixels, (self.height, self.width * self.channels), axis=(1, 2))
        self.windows = windows[:, :, :: self.channels]  # a view: [N, 2 border + 1, 2 border + 1, H, W * C]
        self.backwards = np.arange(self.width * self.channels).reshape(self.width, -1)[::-1].ravel()

    def cut(self, rows: Tensor, positions: CropPositions) -> Tensor:
        """Return a copy of one window of each chosen image.

        Args:
            rows: indices of the images, int64 [n] on the CPU.
            positions: where the windows lie.

        Returns:
            uint8 [n, H, W, C].
        """
        cut = self.windows[rows.numpy(), positions.tops, positions.lefts]
        cut[positions.mirrored] = cut[positions.mirrored].take(self.backwards, axis=-1)
        return torch.from_numpy(cut).view(len(cut), self.height, self.width, self.channels)


class GatheredWindows:
    """Windows of images on any device, by one gather. The arguments are those of `RowWindows`."""

    def __init__(self, images: Tensor, border: int) -> None:
        self.height, self.width = images.shape[1:3]
        self.padded = padded(images, border)

    def cut(self, rows: Tensor, positions: CropPositions) -> Tensor:
        """Return a copy of one window of each chosen image; see `RowWindows.cut`."""
        columns = np.arange(self.width)
        ys_nh = positions.tops[:, None] + np.arange(self.height)
        xs_nw = positions.lefts[:, None] + np.where(positions.mirrored[:, None], columns[::-1], columns)
        chosen, ys, xs = (
            on_device(index, self.padded.device) for index in (rows, torch.from_numpy(ys_nh), torch.from_numpy(xs_nw))
        )
        return self.padded[chosen[:, None, None], ys[:, :, None], xs[:, None, :]]


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on `device`; the host does not wait until a GPU has finished its earlier work."""
    if device.type == "cuda" and tensor.device.type == "cpu":  # a copy from memory that is not pinned would wait
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=device.type != "mps")


def padded(images: Tensor, border: int) -> Tensor:
    """Add black pixels around images.

    Args:
        images: uint8 [N, H, W, C].
        border: pixels on each side.

    Returns:
        uint8 [N, H + 2 border, W + 2 border, C]; `images` itself if the border is 0.
    """
    return pad(images, (0, 0, border, border, border, border)) if border else images
