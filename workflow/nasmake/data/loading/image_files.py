"""Batches of images that stay files, as a pure function of (epoch, step).

Loader processes decode and crop the images. Each image has its own seed key, (..., epoch, index). The bytes of a batch
therefore depend neither on the number of loader processes nor on the step at which an epoch is entered.
"""

import math
import multiprocessing
import random
import signal
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nasmake.core.errors import InputError
from nasmake.core.seeding import python_random
from nasmake.data.loading.arrays import BatchSource, Share
from nasmake.data.preparing.decode import Window, read_window

# Images uint8 [n, H, W, C], or the text of an error: an exception that leaves a loader process would have a traceback
# as its text. One tensor per batch: a tensor per image would need as many open files as a batch has images.
Loaded = Tensor | str
Key = tuple[int, NDArray[np.int64]]  # of a batch: the epoch and the indices of the images, [n]
PATIENCE = 600  # seconds that a batch may take; a file system of a cluster can stand still for minutes
# Random windows are those of torchvision's RandomResizedCrop: see its arguments `scale` and `ratio`.
AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
CENTRE = 224 / 256  # edge of the window for evaluation, divided by the shorter edge of the image


class FileSource(BatchSource):
    """Batches of image files. Later batches are read while the current batch is trained on.

    Args:
        root: folder that the paths are relative to.
        paths: bytes [N].
        labels: int64 [N], on the device that trains.
        batch_size: see `BatchSource`.
        seed_key: see `BatchSource`.
        size: height and width of the images in pixels.
        workers: number of loader processes, which live as long as the source; with 0, this process reads the images.
        training: take a random window of each image, and flip it if `augment` says so; else take the centre.
        options: mean, std, shuffle, augment, drop_last and memory_format of `BatchSource`; `pad` of augment has no
            effect.
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
        workers: int = 0,
        training: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(labels, batch_size, seed_key, width=size, **options)
        self._root, self._workers = root, workers
        self._next: tuple[int, int, Share] | None = None  # epoch, step and share of the next batch of `_loaded`
        self._loaded: Iterator[Loaded] = iter(())
        self._keys: list[Key] = []  # of the batches from one step to the end of its epoch
        self._loader: DataLoader[Loaded] = DataLoader(
            _Images(root, paths, size, (*seed_key, "augment"), training, self.augment.flip),
            batch_sampler=self._keys,  # type: ignore[arg-type]  # torch passes the key of a batch on as it is
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            timeout=PATIENCE if workers else 0,
            pin_memory=labels.is_cuda,
            generator=torch.Generator(),  # so that the loader does not advance the generator that dropout draws from
        )

    def pixels(self, epoch: int, step: int, share: Share) -> Tensor:
        """Return the images of a part of one step. Asking for the steps in order is fastest.

        Raises:
            InputError: an image cannot be read.
            TimeoutError: the loader processes do not answer.
        """
        if self._next != (epoch, step, share):
            batches = (self.rows(epoch, later) for later in range(step, len(self)))
            self._keys[:] = [(epoch, rows[share.part(len(rows))].numpy()) for rows in batches]
            self._loaded = iter(self._loader)
        try:
            loaded = next(self._loaded)
        except RuntimeError as error:
            if "timed out" not in str(error):
                raise
            _kill_children()
            raise TimeoutError(
                f"environment.num_workers is {self._workers}: the loader processes gave no batch within {PATIENCE} s; "
                f"expected that the images in {self._root} can be read meanwhile; check this file system"
            ) from None
        if isinstance(loaded, str):
            raise InputError(loaded)
        self._next = (epoch, step + 1, share)
        return loaded


class _Images(Dataset[Loaded]):
    """The images as a loader process sees them."""

    def __init__(
        self,
        root: Path,
        paths: NDArray[Any],
        size: int,
        seed_key: tuple[int | str, ...],
        training: bool,
        flip: bool,
    ) -> None:
        self.root, self.paths, self.size, self.seed_key = root, paths, size, seed_key
        self.training, self.flip = training, flip

    def __getitems__(self, key: Key) -> Loaded:
        """Return a batch of images."""
        epoch, indices = key
        images = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        with warnings.catch_warnings():
            # PIL warns of bad EXIF, and of many pixels. Twice the number that it warns of is an error.
            warnings.simplefilter("ignore")
            for position, index in enumerate(indices.tolist()):
                path = self.root / self.paths[index].decode()
                try:
                    images[position] = self._read(path, epoch, index)
                except Exception as error:  # decoders raise exceptions of many types for damaged files
                    return f"{path}: cannot be read as an image ({' '.join(str(error).split())}); repair or remove it"
        return torch.from_numpy(images)

    def _read(self, path: Path, epoch: int, index: int) -> Any:
        from PIL.Image import Transpose

        if not self.training:
            return read_window(path, self.size, central_window)
        rng = python_random(*self.seed_key, epoch, index)
        image = read_window(path, self.size, partial(random_window, rng))
        return image.transpose(Transpose.FLIP_LEFT_RIGHT) if self.flip and rng.random() < 0.5 else image


def _kill_children() -> None:
    """Kill the loader processes, for which this process would otherwise wait before it ends.

    SIGTERM does not end them: they have inherited the handler of the training, which only notes the signal.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises an error for a killed loader process
    for process in multiprocessing.active_children():
        process.kill()


def _as_it_is(loaded: Any) -> Any:
    return loaded


def random_window(rng: random.Random, width: int, height: int) -> Window:
    """Draw a window: its part of the area is uniform in AREA, and its ratio of width to height log-uniform in RATIO.

    If no window of TRIES fits into the image, the largest central one with an allowed ratio is taken.
    """
    for _ in range(TRIES):
        area = width * height * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(*map(math.log, RATIO)))
        columns, rows = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            left, top = rng.randint(0, width - columns), rng.randint(0, height - rows)
            return left, top, left + columns, top + rows
    return _central(width, height, min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0])))


def central_window(width: int, height: int) -> Window:
    """Return the square in the middle whose edge is CENTRE of the shorter edge."""
    edge = max(1, round(min(width, height) * CENTRE))
    return _central(width, height, edge, edge)


def _central(width: int, height: int, columns: int, rows: int) -> Window:
    left, top = (width - columns) // 2, (height - rows) // 2
    return left, top, left + columns, top + rows
