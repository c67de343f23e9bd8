"""Read CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from the official archives of Python pickles.

An archive is read in memory after its checksum was verified. No file is extracted, and the pickles are read by
`plain_pickle`, which creates plain values and NumPy arrays only.
"""

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nasmake.core.errors import InputError
from nasmake.core.urls import without_secrets
from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.download import fetch
from nasmake.data.preparing.plain_pickle import PlainPickleError, load_plain

CHANNELS, SIDE = 3, 32  # of an image; the side is in pixels
PIXELS = CHANNELS * SIDE * SIDE


@dataclass(frozen=True)
class Archive:
    """An official archive and the names in it.

    Attributes:
        file: name of the archive.
        sha256: its checksum.
        train: pattern of the members with training batches, of which there may be any number.
        test: member with the test batch.
        meta: member with the names of the classes.
        labels: key of a batch's labels.
        names: key of the class names in `meta`.
        num_classes: number of classes.
    """

    file: str
    sha256: str
    train: str
    test: str
    meta: str
    labels: bytes
    names: bytes
    num_classes: int


CIFAR10 = Archive(
    file="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    train="cifar-10-batches-py/data_batch_*",
    test="cifar-10-batches-py/test_batch",
    meta="cifar-10-batches-py/batches.meta",
    labels=b"labels",
    names=b"label_names",
    num_classes=10,
)
CIFAR100 = Archive(
    file="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    train="cifar-100-python/train",
    test="cifar-100-python/test",
    meta="cifar-100-python/meta",
    labels=b"fine_labels",
    names=b"fine_label_names",
    num_classes=100,
)
OFFICIAL = "https://www.cs.toronto.edu/~kriz/"  # folder of both archives


class NotCifarError(Exception):
    """The archive is not as expected. The text is the second half of an error line."""


def make_cifar10(settings: Mapping[str, Any]) -> DataSet:
    """Return CIFAR-10 as uint8 [N, 32, 32, 3]; see `make_cifar`."""
    return make_cifar(CIFAR10, settings)


def make_cifar100(settings: Mapping[str, Any]) -> DataSet:
    """Return CIFAR-100 with its 100 fine classes as uint8 [N, 32, 32, 3]; see `make_cifar`."""
    return make_cifar(CIFAR100, settings)


def make_cifar(archive: Archive, settings: Mapping[str, Any]) -> DataSet:
    """Download an archive, unless it exists, and read it.

    Args:
        archive: the archive and its names.
        settings: `path`, `url` and `sha256` of section `dataset`.

    Returns:
        Images as uint8 [N, 32, 32, 3].

    Raises:
        InputError: the download failed, or the file is no such archive.
    """
    url = settings.get("url") or f"{OFFICIAL}{archive.file}"
    sha256 = (settings.get("sha256") or archive.sha256).lower()
    path = Path(settings["path"], archive.file)
    fetch(url, sha256, path)
    try:
        members = _read_members(path, archive)
        batches = sorted((name for name in members if fnmatchcase(name, archive.train)), key=lambda n: (len(n), n))
        train = [_read_batch(members, name, archive) for name in batches or [archive.train]]
        return DataSet(
            classes=_read_classes(members, archive),
            train=Split(*(np.concatenate(arrays) for arrays in zip(*train, strict=True))),
            test=_read_batch(members, archive.test, archive),
            source={"archive": archive.file, "sha256": sha256},
            url=without_secrets(url),
        )
    except NotCifarError as error:
        raise InputError(
            f"{path}: {' '.join(str(error).split())}; remove it and start again to download it from "
            f"{without_secrets(url)}, or set dataset.url to a good one"
        ) from None


def _read_members(path: Path, archive: Archive) -> dict[str, bytes]:
    """Return the bytes of the members that the archive is expected to have."""
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise NotCifarError(f"its member {name} points outside of it")
                if any(fnmatchcase(str(name), pattern) for pattern in (archive.train, archive.test, archive.meta)):
                    stream = tar.extractfile(member) if member.isreg() else None
                    if stream is None:
                        raise NotCifarError(f"its member {name} is a link or a device, not a file")
                    contents[str(name)] = stream.read()
    except NotCifarError:
        raise
    except Exception as error:  # tarfile and zlib raise exceptions of many types for damaged files
        raise NotCifarError(f"not a readable archive ({error})") from None
    return contents


def _unpickle(members: Mapping[str, bytes], name: str) -> dict[Any, Any]:
    if name not in members:
        raise NotCifarError(f"its member {name} is missing")
    try:
        content = load_plain(members[name])
    except PlainPickleError as error:
        raise NotCifarError(f"its member {name} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise NotCifarError(f"its member {name} holds no dictionary")
    return content


def _read_classes(members: Mapping[str, bytes], archive: Archive) -> list[str]:
    names, key = _unpickle(members, archive.meta).get(archive.names), archive.names.decode()
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise NotCifarError(f"it has no list of {key}")
    texts = [name if isinstance(name, str) else name.decode(errors="replace") for name in names]
    if not len(set(texts)) == len(texts) == archive.num_classes or not all(text.isprintable() for text in texts):
        raise NotCifarError(f"its {key} do not name {archive.num_classes} classes")
    return texts


def _read_batch(members: Mapping[str, bytes], name: str, archive: Archive) -> Split:
    batch = _unpickle(members, name)
    pixels, labels = batch.get(b"data"), batch.get(archive.labels)
    labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise NotCifarError(f"the data of its member {name} are not rows of {PIXELS} uint8 values")
    kind = f"{archive.labels.decode()} from 0 to {archive.num_classes - 1}"
    if not isinstance(labels, list) or not 0 < len(labels) == len(pixels):
        raise NotCifarError(f"its member {name} has {len(pixels)} images, but not as many {kind}")
    if not all(isinstance(label, int) and 0 <= label < archive.num_classes for label in labels):
        raise NotCifarError(f"its member {name} does not have {kind} only")
    images = pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)  # a row is all red, all green, all blue
    return Split(images, np.array(labels, dtype=np.int64))
