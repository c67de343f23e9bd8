"""A data set whose images show their own row number, and a record of the images that networks receive.

The record is taken at the first convolution of a network, behind shuffling, random crops and normalisation. It does
not depend on which function of a stage asked for a batch.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from nasmake.core.files import read_json
from nasmake.data.prepared import DataSet, Split, write_prepared
from nasmake.models.layers import ConvBN
from numpy.typing import NDArray

TRAIN_COUNT, TEST_COUNT, CLASSES, EDGE = 150, 45, 10, 8
PARTS = ("train", "test")
# A random crop moves an image by one pixel at most. These pixels then still lie in their own quadrant.
READ_AT = ((1, 1), (1, 5), (5, 1), (5, 5))
WEIGHTS, STATISTICS, DISTRIBUTION, SCORES = "w", "s", "d", "e"


class Seen(NamedTuple):
    """One batch at the first convolution of a network.

    Attributes:
        use: WEIGHTS (training mode), STATISTICS (BatchNorm recalibration), DISTRIBUTION (BatchNorm uses the statistics
            of the batch and stores none), or SCORES (evaluation mode).
        part: train or test, the prepared array that the images are from.
        rows: their row numbers in that array.
    """

    use: str
    part: str
    rows: tuple[int, ...]


def prepare_marked(folder: Path) -> Path:
    """Write a prepared data set with the manifest of digits and marked images; return its folder."""
    parts = []
    for number, count in enumerate((TRAIN_COUNT, TEST_COUNT)):
        rows = np.arange(count)
        parts.append(Split(_marked(number, rows), rows % CLASSES))
    write_prepared(folder, "digits", DataSet([str(i) for i in range(CLASSES)], *parts, source={}), time.time())
    return folder


def _marked(part: int, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Four quadrants per image, uint8 [N, 8, 8, 1]: the part, and three hexadecimal digits of the row number."""
    digits = np.stack([np.full_like(rows, part), rows // 256, rows // 16 % 16, rows % 16], axis=1)
    quadrants = digits.reshape(-1, 2, 2).repeat(EDGE // 2, axis=1).repeat(EDGE // 2, axis=2)
    return (16 * quadrants + 8).astype(np.uint8)[..., None]


def record_images(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[Seen]:
    """Return a list to which every network adds the batches that it receives from now on."""
    manifest, forward = read_json(folder / "manifest.json"), ConvBN.forward
    (mean,), (std,) = manifest["mean"], manifest["std"]
    seen: list[Seen] = []

    def recording(self: Any, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1:] == (1, EDGE, EDGE):
            seen.append(Seen(_use_of(self), *_decoded(x, mean, std)))
        return forward(self, x)

    monkeypatch.setattr(ConvBN, "forward", recording)
    return seen


def _use_of(stem: Any) -> str:
    if stem.training:
        return WEIGHTS
    if not stem.bn.training:
        return SCORES
    return STATISTICS if stem.bn.momentum else DISTRIBUTION


def _decoded(images: torch.Tensor, mean: float, std: float) -> tuple[str, tuple[int, ...]]:
    grey = (images.detach()[:, 0] * std + mean) * 255
    digits = torch.stack([((grey[:, row, column] - 8) / 16).round().long() for row, column in READ_AT], dim=1)
    (part,) = set(digits[:, 0].tolist())
    return PARTS[part], tuple((digits[:, 1:] @ torch.tensor([256, 16, 1])).tolist())
