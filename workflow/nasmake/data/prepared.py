"""A prepared data set on disk: four arrays that are mapped into memory, and a manifest that describes them.

Where the manifest says `stored: image folders`, the images are paths, relative to the folder above.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, sha256_of, write_atomically, write_json
from nasmake.core.provenance import PROVENANCE, provenance

MANIFEST = "manifest.json"
DESCRIBED = {"name", "classes", "train", "test", "image_shape", "mean", "std", "sha256", "source"}

StoredSplit = Literal["train", "test"]


class Split(NamedTuple):
    """Images as uint8 [N, H, W, C], or their paths as bytes [N], and their classes as int64 [N]."""

    images: NDArray[Any]
    labels: NDArray[np.int64]


class DataSet(NamedTuple):
    """What a maker hands over.

    Attributes:
        classes: their names.
        train: images to train on.
        test: images of the final test.
        source: where the images are from, without anything that differs between runs.
        stored: image_shape, mean, std and `stored`, of images that stay files.
    """

    classes: list[str]
    train: Split
    test: Split
    source: dict[str, Any]
    stored: dict[str, Any] | None = None


@dataclass(frozen=True)
class Prepared:
    """A prepared data set; a part is opened when it is asked for, so that only its own reader touches the test set."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the manifest of `folder`.

        Raises:
            InputError: the manifest is missing or is not one.
        """
        manifest = read_json(folder / MANIFEST)
        if missing := DESCRIBED - manifest.keys():
            raise _damaged(folder / MANIFEST, f"{min(missing)!r} is missing")
        return cls(folder, manifest)

    @property
    def in_files(self) -> bool:
        """Whether the images of its parts are paths."""
        return "stored" in self.manifest

    def split(self, name: StoredSplit) -> Split:
        """Map one part into memory, read-only.

        Raises:
            InputError: a file is missing, truncated, or not what the manifest describes.
        """
        count, shape = self.manifest[name]["count"], self.manifest["image_shape"]
        with_costs = ((count,), np.dtype(np.bytes_)) if self.in_files else ((count, *shape), np.dtype(np.uint8))
        images = self._array(f"{name}_images.npy", *with_costs)
        labels = self._array(f"{name}_labels.npy", (count,), np.dtype(np.int64))
        return Split(images, labels)

    def _array(self, file: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        path = self.folder / file
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, " ".join(str(error).split())) from None
        if array.shape != shape or not np.can_cast(array.dtype, dtype, "no" if dtype.itemsize else "same_kind"):
            raise _damaged(path, f"{array.dtype} {array.shape}, where the manifest says {dtype} {shape}")
        return array


def write_prepared(folder: Path, name: str, data: DataSet, started: float) -> dict[str, Any]:
    """Write the arrays, then the manifest: where a manifest is, everything it describes is there too.

    Args:
        folder: where the files go; those of an earlier preparation are replaced.
        name: of the data set.
        data: what its maker made.
        started: `time.time()` when the preparation began.

    Returns:
        The manifest.
    """
    (folder / MANIFEST).unlink(missing_ok=True)  # it must not vouch for a mixture of old and new arrays
    arrays = {f"{split}_{kind}.npy": array for split in ("train", "test") for kind, array in _named(data, split)}
    for file, array in arrays.items():
        write_atomically(folder / file, _npy(array))
    manifest = {
        "name": name,
        **_described(data),
        "sha256": {file: sha256_of(folder / file) for file in arrays},
        PROVENANCE: provenance(started),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _named(data: DataSet, split: str) -> list[tuple[str, NDArray[Any]]]:
    return list(getattr(data, split)._asdict().items())


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _described(data: DataSet) -> dict[str, Any]:
    return {
        "classes": data.classes,
        "train": _counted(data.train.labels, data.classes),
        "test": _counted(data.test.labels, data.classes),
        "source": data.source,
        **(data.stored or _measured(data.train.images)),
    }


def _measured(images: NDArray[np.uint8]) -> dict[str, Any]:
    mean, std = channel_statistics(images)
    return {"image_shape": list(images.shape[1:]), "mean": mean, "std": std}


def _counted(labels: NDArray[np.int64], classes: list[str]) -> Mapping[str, Any]:
    per_class = np.bincount(labels, minlength=len(classes)).tolist()
    return {"count": len(labels), "per_class": dict(zip(classes, per_class, strict=True))}


def channel_statistics(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of every channel, in units of the grey range (0..1).

    Args:
        images: uint8 [N, H, W, C]. The sums are integers, so that every machine finds the same.
    """
    moments = [
        _moments(np.bincount(images[..., channel].ravel(), minlength=256)) for channel in range(images.shape[-1])
    ]
    return [mean for mean, _ in moments], [std for _, std in moments]


def _moments(counts: NDArray[np.int64]) -> tuple[float, float]:
    grey = np.arange(256)
    number, total, squares = (int((counts * grey**power).sum()) for power in range(3))
    return total / (255 * number), math.sqrt(number * squares - total**2) / (255 * number)


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: missing or damaged ({reason}): remove the folder {path.parent} and start again")
