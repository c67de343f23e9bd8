"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from the official archives of Python pickles.

The archives are read in memory, after their checksum was verified: nothing is extracted, and the pickles are read by
an unpickler that can make arrays and nothing else.
"""

import io
import pickle
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nasmake.core.errors import InputError
from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.download import fetch

CHANNELS, SIDE = 3, 32


@dataclass(frozen=True)
class Archive:
    """An official archive: where it is, and what is called how in it."""

    file: str
    sha256: str
    train: str  # members, as a pattern: their number is free
    test: str
    meta: str
    labels: bytes  # a key of each batch
    names: bytes  # a key of the meta data
    num_classes: int

    @property
    def url(self) -> str:
        """The official source."""
        return f"https://www.cs.toronto.edu/~kriz/{self.file}"


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


class NotCifarError(Exception):
    """What is wrong with an archive, in a few words."""


def make_cifar10(settings: Mapping[str, Any]) -> DataSet:
    """CIFAR-10 as uint8 [N, 32, 32, 3].

    Raises:
        InputError: the archive cannot be had, or is not a CIFAR-10 archive.
    """
    return _make(CIFAR10, settings)


def make_cifar100(settings: Mapping[str, Any]) -> DataSet:
    """CIFAR-100, with its 100 fine classes, as uint8 [N, 32, 32, 3].

    Raises:
        InputError: the archive cannot be had, or is not a CIFAR-100 archive.
    """
    return _make(CIFAR100, settings)


def _make(archive: Archive, settings: Mapping[str, Any]) -> DataSet:
    url, sha256 = settings.get("url") or archive.url, (settings.get("sha256") or archive.sha256).lower()
    path = Path(settings["path"]) / archive.file
    fetch(url, sha256, path)
    try:
        return _read(archive, path, {"url": url, "archive": archive.file, "sha256": sha256})
    except NotCifarError as error:
        raise InputError(
            f"{path}: {error}; remove it and start again to download it from {url}, or set dataset.url to a good one"
        ) from None


def _read(archive: Archive, path: Path, source: dict[str, Any]) -> DataSet:
    members = _members(path, archive)
    batches = sorted((name for name in members if fnmatchcase(name, archive.train)), key=lambda name: (len(name), name))
    return DataSet(
        classes=_class_names(_load(members, archive.meta), archive),
        train=_split(members, batches or [archive.train], archive),
        test=_split(members, [archive.test], archive),
        source=source,
    )


def _members(path: Path, archive: Archive) -> dict[str, bytes]:
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = _checked_name(member.name)
                if any(fnmatchcase(name, pattern) for pattern in (archive.train, archive.test, archive.meta)):
                    contents[name] = _content(tar, member)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise NotCifarError(f"not a readable archive ({error})") from None
    return contents


def _checked_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise NotCifarError(f"its member {name!r} points outside of it")
    return str(path)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise NotCifarError(f"its member {member.name!r} is a link or a device, not a file")
    return stream.read()


class ArrayUnpickler(pickle.Unpickler):
    """Reads a pickle of plain values and numpy arrays; whatever else it asks for is refused."""

    ADMITTED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy._core.numeric", "_frombuffer"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle may call: numpy's functions that rebuild an array, under the old or the new module name."""
        if (module, name) == ("_codecs", "encode"):
            return _latin1  # how Python 3 writes bytes for Python 2
        module = re.sub(r"^numpy\.core\b", "numpy._core", module)
        if (module, name) not in self.ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which has no place in a data set")
        return super().find_class(module, name)


def _latin1(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _load(members: Mapping[str, bytes], name: str) -> dict[Any, Any]:
    if name not in members:
        raise NotCifarError(f"its member {name!r} is missing")
    try:
        content = ArrayUnpickler(io.BytesIO(members[name]), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise NotCifarError(f"its member {name!r} cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise NotCifarError(f"its member {name!r} holds no dictionary")
    return content


def _class_names(meta: Mapping[Any, Any], archive: Archive) -> list[str]:
    names = meta.get(archive.names)
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise NotCifarError(f"it has no list of {archive.names.decode()}")
    texts = [name if isinstance(name, str) else name.decode(errors="replace") for name in names]
    if len(set(texts)) != archive.num_classes:
        raise NotCifarError(f"its {archive.names.decode()} do not name {archive.num_classes} classes")
    return texts


def _split(members: Mapping[str, bytes], names: Iterable[str], archive: Archive) -> Split:
    splits = [_batch(name, _load(members, name), archive) for name in names]
    return Split(np.concatenate([split.images for split in splits]), np.concatenate([split.labels for split in splits]))


def _batch(name: str, batch: Mapping[Any, Any], archive: Archive) -> Split:
    pixels, labels, row = batch.get(b"data"), batch.get(archive.labels), CHANNELS * SIDE * SIDE
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (row,):
        raise NotCifarError(f"the data of its member {name!r} are not rows of {row} uint8 values")
    kind = f"{archive.labels.decode()} from 0 to {archive.num_classes - 1}"
    if not isinstance(labels, list | np.ndarray) or not 0 < len(labels) == len(pixels):
        raise NotCifarError(f"its member {name!r} has {len(pixels)} images, but not as many {kind}")
    if not all(isinstance(label, int | np.integer) and 0 <= label < archive.num_classes for label in labels):
        raise NotCifarError(f"its member {name!r} does not have {kind} only")
    images = pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Split(images, np.array(labels, dtype=np.int64))
