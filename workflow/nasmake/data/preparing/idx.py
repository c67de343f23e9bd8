"""Read MNIST (LeCun et al., 1998) and Fashion-MNIST (arXiv 1708.07747) from their idx files, compressed or not.

The four files of a set may lie in dataset.path, in a folder that torchvision or Debian made, or they are downloaded.
The checksum of the uncompressed content decides whether they are the official ones, so recompressed files are fine.
"""

import gzip
import hashlib
import logging
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.core.urls import without_secrets
from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.download import fetch

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DIMENSIONS = {"images": 3, "labels": 1}  # of the arrays, by the kind that a file's name has
MAGIC = b"\x00\x00\x08"  # the first bytes of an idx file of uint8 values; the number of dimensions follows
LARGEST = 2**26  # bytes that are read from a file; the largest one has 47 million
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IdxSet:
    """The official files of a data set.

    Attributes:
        title: name of the data set in error lines.
        classes: names of the classes, in the order of their numbers.
        sha256: checksum of each uncompressed file, by its name.
        sha256_gz: checksum of each file that the authors offer, compressed by gzip.
        url: folder of these files.
        torchvision: folder that torchvision fills, relative to its root.
        package: Debian's package of the data set, and the folder that it fills; None if there is none.
    """

    title: str
    classes: tuple[str, ...]
    sha256: Mapping[str, str]
    sha256_gz: Mapping[str, str]
    url: str
    torchvision: str
    package: tuple[str, Path] | None = None


# torchvision's MD5 sums of the compressed files belong to the same files as these SHA-256 sums.
MNIST = IdxSet(
    title="MNIST",
    classes=tuple(str(digit) for digit in range(10)),
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    sha256_gz={
        "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    torchvision="MNIST/raw",
)
FASHION_MNIST = IdxSet(
    title="Fashion-MNIST",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    sha256_gz={
        "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    torchvision="FashionMNIST/raw",
    package=("dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")),
)


def make_mnist(settings: Mapping[str, Any]) -> DataSet:
    """Return MNIST as uint8 [N, 28, 28, 1], where 0 is paper and 255 is ink; see `make_idx`."""
    return make_idx(MNIST, settings)


def make_fashion_mnist(settings: Mapping[str, Any]) -> DataSet:
    """Return Fashion-MNIST as uint8 [N, 28, 28, 1], where 0 is the background; see `make_idx`."""
    return make_idx(FASHION_MNIST, settings)


def make_idx(known: IdxSet, settings: Mapping[str, Any]) -> DataSet:
    """Find the four files of a set on this machine, or download them, and read them.

    Args:
        known: the data set.
        settings: `name`, `path` and `url` of section `dataset`.

    Returns:
        Images as uint8 [N, H, W, 1].

    Raises:
        InputError: the download failed, or a file is not the official one.
    """
    url = settings.get("url") or known.url
    folder = _folder_of_files(known, Path(settings["path"]))
    is_downloaded = folder is None
    if folder is None:
        folder = Path(settings["path"], f"{settings['name']}_idx")
        for name, sha256 in known.sha256_gz.items():
            if _find(folder, name) is None:
                fetch(f"{url.rstrip('/')}/{name}.gz", sha256, folder / f"{name}.gz", is_configurable=False)
    return DataSet(
        classes=list(known.classes),
        train=_read_split(known, folder, TRAIN),
        test=_read_split(known, folder, TEST),
        source={"sha256": dict(known.sha256)},
        url=without_secrets(url) if is_downloaded else None,
    )


def read_idx(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Read an idx file of uint8 values; a name that ends in .gz says that it is compressed.

    Args:
        path: the file. Its name has `images` or `labels`, which decides the number of dimensions.

    Returns:
        uint8 [N, H, W] or [N], and the SHA-256 checksum of the uncompressed content.

    Raises:
        InputError: the file cannot be read, or is no idx file of this kind and size.
    """
    content = _read_bytes(path)
    count = next(count for kind, count in DIMENSIONS.items() if kind in path.name)
    magic = MAGIC + bytes([count])
    if content[:4] != magic:
        raise InputError(f"{path}: begins with bytes {content[:4].hex() or 'none'}; expected {magic.hex()}")
    start = 4 + 4 * count
    if len(content) < start:
        raise InputError(f"{path}: has {len(content)} bytes; expected a header of {start}")
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    if len(content) != start + math.prod(shape):
        sizes = " x ".join(map(str, shape))
        raise InputError(
            f"{path}: has {len(content)} bytes; expected {start + math.prod(shape)}, because its header says {sizes}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape), hashlib.sha256(content).hexdigest()


def _read_bytes(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return stream.read(LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())}); remove it or replace it") from None


def _read_split(known: IdxSet, folder: Path, names: tuple[str, str]) -> Split:
    images, labels = (_read_official(known, folder, name) for name in names)
    return Split(images[..., None], labels.astype(np.int64))


def _read_official(known: IdxSet, folder: Path, name: str) -> NDArray[np.uint8]:
    path = _find(folder, name)
    assert path is not None  # the caller has looked for it, or downloaded it
    array, sha256 = read_idx(path)
    if sha256 != known.sha256[name]:
        raise InputError(
            f"{path}: sha256 of its content is {sha256}; expected {known.sha256[name]}, that of {known.title}; remove "
            "it or replace it"
        )
    return array


def _folder_of_files(known: IdxSet, path: Path) -> Path | None:
    """Return the first folder that has all files of a set, and say which one it is; None if there is no such folder."""
    for folder, origin in _candidates(known, path):
        if all(_find(folder, name) for name in known.sha256):
            log.info("source: %s (%s)", folder, origin)
            return folder
    return None


def _candidates(known: IdxSet, path: Path) -> Iterator[tuple[Path, str]]:
    yield path, "dataset.path"
    yield path / "raw", "in dataset.path"
    yield path / known.torchvision, "as torchvision stores it"
    if known.package:
        name, folder = known.package
        yield folder, f"Debian's package {name}"


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
