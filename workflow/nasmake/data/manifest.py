"""The manifest of a prepared data set: which fields it has, and the checksum that protects them.

The provenance block is outside of the checksum. This module loads no NumPy, because the Snakefile reads manifests too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError, shown
from nasmake.core.files import fingerprint, read_json
from nasmake.core.provenance import without_provenance
from nasmake.core.records import record_of

MANIFEST = "manifest.json"
ARRAYS = frozenset({"train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy"})
CHECKSUM = "checksum"  # manifests of earlier versions have none


@dataclass(frozen=True)
class SplitFacts:
    """The images of one split.

    Attributes:
        count: number of images.
        per_class: number of images by the name of the class.
    """

    count: int
    per_class: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """The fields of a manifest that every reader may rely on.

    Attributes:
        name: name of the data set.
        classes: names of the classes, in the order of their numbers.
        train: images for training and validation.
        test: images for the final test.
        image_shape: height, width and channels.
        mean: mean of each channel, with pixel values scaled to 0..1.
        std: standard deviation of each channel, in the same unit.
        sha256: checksum of each array, by the name of its file.
        source: origin of the images.
    """

    name: str
    classes: list[str]
    train: SplitFacts
    test: SplitFacts
    image_shape: list[int]
    mean: list[float]
    std: list[float]
    sha256: dict[str, str]
    source: dict[str, Any]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the content of `<folder>/manifest.json`.

    Raises:
        InputError: the manifest is missing or damaged. The line names the field and what is expected.
    """
    path = folder / MANIFEST
    content = read_json(path)
    manifest = record_of(Manifest, content, path)
    if content.get(CHECKSUM, _checksum(content)) != _checksum(content):
        problem = f"{CHECKSUM} is {shown(content[CHECKSUM])}; expected {_checksum(content)}, that of the other fields"
    elif len(manifest.image_shape) != 3 or min(manifest.image_shape) < 1:
        problem = "image_shape is wrong; expected height, width and channels, each 1 or more"
    elif not len(manifest.mean) == len(manifest.std) == manifest.image_shape[2]:
        problem = "mean or std is wrong; expected one number for each channel"
    elif not 0 < len(manifest.classes) == len(set(manifest.classes)):
        problem = "classes is wrong; expected names, none of them twice"
    elif manifest.sha256.keys() != ARRAYS:
        problem = f"sha256 is wrong; expected one checksum for each of {', '.join(sorted(ARRAYS))}"
    elif min(manifest.train.count, manifest.test.count) < 0:
        problem = "count is negative; expected a number of images"
    else:
        return content
    raise damaged(path, problem)


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with the checksum of its other fields."""
    return {**manifest, CHECKSUM: _checksum(manifest)}


def damaged(path: Path, problem: str) -> InputError:
    """Return the error for a damaged file of a prepared data set; the set is prepared again without its manifest."""
    manifest = path.with_name(MANIFEST)
    return InputError(f"{path}: missing or damaged: {problem}; type: rm -f {manifest}, then the same command again")


def _checksum(manifest: Mapping[str, Any]) -> str:
    return fingerprint({key: value for key, value in without_provenance(manifest).items() if key != CHECKSUM})
