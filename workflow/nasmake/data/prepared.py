"""A prepared data set on disk: four array files and a manifest that describes them.

The files are `{train,test}_{images,labels}.npy` and `manifest.json`. They are mapped into memory, not read. If the
manifest has the key `stored`, the image arrays hold the paths of image files instead, relative to `Prepared.root`.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasmake.core.files import sha256_of, write_atomically, write_json
from nasmake.core.provenance import PROVENANCE, provenance
from nasmake.data.manifest import MANIFEST, damaged, read_manifest, sealed
from nasmake.data.verified import verify_once

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
        url: where the archive was downloaded from, without secrets.
    """

    classes: list[str]
    train: Split
    test: Split
    source: dict[str, Any]
    stored: dict[str, Any] | None = None
    url: str | None = None


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
            InputError: see `read_manifest`.
        """
        return cls(folder, read_manifest(folder))

    @property
    def in_files(self) -> bool:
        """Whether the image arrays hold paths of image files."""
        return "stored" in self.manifest

    @property
    def root(self) -> Path:
        """The folder that paths of image files are relative to: the folder above, or what the provenance names."""
        return Path(self.manifest.get(PROVENANCE, {}).get("images", self.folder.parent))

    def split(self, name: StoredSplit) -> Split:
        """Map one split into memory, read-only.

        Raises:
            InputError: a file is missing, does not have the checksum of the manifest, or is not as the manifest
                describes it.
        """
        count, num_classes = self.manifest[name]["count"], len(self.manifest["classes"])
        shape = (count,) if self.in_files else (count, *self.manifest["image_shape"])
        images = self._map(f"{name}_images.npy", shape, np.dtype(np.bytes_ if self.in_files else np.uint8))
        labels = self._map(f"{name}_labels.npy", (count,), np.dtype(np.int64))
        if count and not 0 <= labels.min() <= labels.max() < num_classes:
            raise damaged(self.folder / f"{name}_labels.npy", f"expected labels from 0 to {num_classes - 1}")
        return Split(images, labels)

    def _map(self, file: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        path, expected = self.folder / file, self.manifest["sha256"][file]
        try:
            checksum = verify_once(path, expected)
        except OSError as error:
            raise damaged(path, str(error)) from None
        if checksum != expected:
            raise damaged(path, f"sha256 is {checksum}; expected {expected}")
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # NumPy raises exceptions of many types for damaged headers
            raise damaged(path, " ".join(str(error).split())) from None
        # Paths are bytes of any length: their type is np.bytes_ with an item size that differs between data sets.
        if array.shape != shape or not np.can_cast(array.dtype, dtype, "no" if dtype.itemsize else "same_kind"):
            raise damaged(path, f"{array.dtype} {array.shape}, where the manifest says {dtype} {shape}")
        return array


def write_prepared(
    folder: Path, name: str, data: DataSet, started: float, settings: Mapping[str, Any] | None = None, **facts: Any
) -> dict[str, Any]:
    """Write the arrays of a data set, and then its manifest.

    The manifest is removed first and written last. A folder with a manifest therefore always has matching arrays.

    Args:
        folder: destination; the files of an earlier preparation are replaced.
        name: name of the data set.
        data: the data set.
        started: `time.time()` when the preparation began, in seconds.
        settings: what decides the arrays.
        facts: further entries of the provenance block.

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
    manifest = sealed(manifest | {"settings": dict(settings or {})})
    manifest[PROVENANCE] = provenance(started, **({"url": data.url} if data.url else {}), **facts)
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
