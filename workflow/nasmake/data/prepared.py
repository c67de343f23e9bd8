"""A prepared data set on disk: four array files and a manifest that describes them.

The files are `{train,test}_{images,labels}.npy` and `manifest.json`. They are mapped into memory, not read. If the
manifest has the key `stored`, the image arrays hold the paths of image files instead, relative to the folder above.
"""

import io
import math
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
    """The images of one split and their labels.

    Attributes:
        images: uint8 [N, H, W, C], or the paths of image files as bytes [N].
        labels: number of the class of each image, int64 [N].
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]


class DataSet(NamedTuple):
    """A data set in memory, as a maker returns it.

    Attributes:
        classes: names of the classes, in the order of their numbers.
        train: images for training and validation.
        test: images for the final test.
        source: origin of the images, without facts that may differ between two runs.
        stored: the manifest's image_shape, mean, std and stored, for images that stay files; None for arrays.
    """

    classes: list[str]
    train: Split
    test: Split
    source: dict[str, Any]
    stored: dict[str, Any] | None = None


@dataclass(frozen=True)
class Prepared:
    """A prepared data set. A split is opened only on demand: a job without access to the test set never reads it.

    Attributes:
        folder: the folder of the files.
        manifest: the content of manifest.json.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the manifest of `folder`.

        Raises:
            InputError: the manifest is missing or lacks a key.
        """
        manifest = read_json(folder / MANIFEST)
        if missing := DESCRIBED - manifest.keys():
            raise _damaged(folder / MANIFEST, f"{min(missing)} is missing")
        return cls(folder, manifest)

    @property
    def in_files(self) -> bool:
        """Whether the image arrays hold paths of image files."""
        return "stored" in self.manifest

    def split(self, name: StoredSplit) -> Split:
        """Map one split into memory, read-only.

        Raises:
            InputError: a file is missing, truncated, or not as the manifest describes it.
        """
        count = self.manifest[name]["count"]
        shape = (count,) if self.in_files else (count, *self.manifest["image_shape"])
        images = self._map(f"{name}_images.npy", shape, np.dtype(np.bytes_ if self.in_files else np.uint8))
        return Split(images, self._map(f"{name}_labels.npy", (count,), np.dtype(np.int64)))

    def _map(self, file: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        path = self.folder / file
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, " ".join(str(error).split())) from None
        # Paths are bytes of any length: their type is np.bytes_ with an item size that differs between data sets.
        if array.shape != shape or not np.can_cast(array.dtype, dtype, "no" if dtype.itemsize else "same_kind"):
            raise _damaged(path, f"{array.dtype} {array.shape}, where the manifest says {dtype} {shape}")
        return array


def write_prepared(folder: Path, name: str, data: DataSet, started: float) -> dict[str, Any]:
    """Write the arrays of a data set, and then its manifest.

    The manifest is removed first and written last. A folder with a manifest therefore always has matching arrays.

    Args:
        folder: destination; the files of an earlier preparation are replaced.
        name: name of the data set.
        data: the data set.
        started: `time.time()` when the preparation began, in seconds.

    Returns:
        The manifest.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    manifest: dict[str, Any] = {"name": name, "classes": data.classes, "source": data.source, "sha256": {}}
    for split, (images, labels) in (("train", data.train), ("test", data.test)):
        per_class = np.bincount(labels, minlength=len(data.classes)).tolist()
        manifest[split] = {"count": len(labels), "per_class": dict(zip(data.classes, per_class, strict=True))}
        for kind, array in (("images", images), ("labels", labels)):
            stream = io.BytesIO()
            np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
            path = folder / f"{split}_{kind}.npy"
            write_atomically(path, stream.getvalue())
            manifest["sha256"][path.name] = sha256_of(path)
    if data.stored is None:
        mean, std = channel_statistics(data.train.images)
        manifest |= {"image_shape": list(data.train.images.shape[1:]), "mean": mean, "std": std}
    else:
        manifest |= data.stored
    manifest[PROVENANCE] = provenance(started)
    write_json(folder / MANIFEST, manifest)
    return manifest


def channel_statistics(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Return the mean and the standard deviation of every channel.

    The sums are integers, so that every machine computes the same values.

    Args:
        images: uint8 [N, H, W, C].

    Returns:
        C means and C standard deviations, with pixel values scaled to 0..1.
    """
    means, deviations = [], []
    pixel_values = np.arange(256)
    for channel in range(images.shape[-1]):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        number, total, squares = (int((counts * pixel_values**power).sum()) for power in range(3))
        means.append(total / (255 * number))
        deviations.append(math.sqrt(number * squares - total**2) / (255 * number))
    return means, deviations


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: missing or damaged ({reason}); remove the folder {path.parent} and start again")
