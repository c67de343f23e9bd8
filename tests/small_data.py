"""Small data sets in the genuine formats, with images that can be learnt: a pattern per class, plus noise."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CIFAR10_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PATTERN = 4  # cells along each side of a class's pattern
CONTRAST, NOISE = 60, 25  # in grey values


def patterned_images(labels: Sequence[int], seed: int, size: tuple[int, int] = (32, 32)) -> NDArray[np.uint8]:
    """One image per label, uint8 [N, height, width, 3]; the pattern of a class is the same for every seed."""
    noise = np.random.default_rng(seed).normal(128, NOISE, (len(labels), *size, 3))
    for image, label in zip(noise, labels, strict=True):
        cells = np.random.default_rng([1, label]).choice([-CONTRAST, CONTRAST], (PATTERN, PATTERN, 3))
        rows, columns = (np.arange(length) * PATTERN // length for length in size)
        image += cells[rows][:, columns]
    return noise.clip(0, 255).astype(np.uint8)


def balanced_labels(count: int, classes: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).permutation(np.arange(count) % classes).tolist()


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: text and bytes are one type, and numpy's modules have their old names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, content: bytes) -> None:
        short = len(content) < 256
        self.write(pickle.SHORT_BINSTRING if short else pickle.BINSTRING)
        self.write(struct.pack("<B" if short else "<i", len(content)) + content)
        self.memoize(content)

    dispatch[bytes] = save_bytes
    dispatch[str] = lambda self, text: self.save_bytes(text.encode())

    def save_global(self, thing: Any, name: str | None = None) -> None:
        module = thing.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or thing.__name__}\n".encode())
        self.memoize(thing)

    dispatch[type] = save_global
    dispatch[type(len)] = save_global
    dispatch[type(balanced_labels)] = save_global


def python2_pickle(content: Any) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def cifar_rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[N, 32, 32, 3] to the rows of the archive: [N, 3072], all of red, then green, then blue."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def write_tar(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> str:
    """Write an archive and return its checksum; a TarInfo stands for a member without content, such as a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(path, "wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cifar10_members(
    train_count: int, test_count: int, seed: int, batch_sizes: Sequence[int] | None
) -> dict[str, bytes]:
    sizes = batch_sizes or [len(part) for part in np.array_split(np.arange(train_count), min(5, train_count))]
    members = {"batches.meta": python2_pickle({"num_cases_per_batch": sizes[0], "label_names": CIFAR10_NAMES})}
    batches = {f"data_batch_{number}": size for number, size in enumerate(sizes, 1)} | {"test_batch": test_count}
    for number, (name, size) in enumerate(batches.items()):
        labels = balanced_labels(size, 10, seed + number)
        rows = cifar_rows(patterned_images(labels, seed + 1000 + number))
        members[name] = python2_pickle({"batch_label": name, "labels": labels, "data": rows, "filenames": ["x.png"]})
    return {f"cifar-10-batches-py/{name}": content for name, content in members.items()}


def write_cifar10_archive(
    path: Path,
    train_count: int = 200,
    test_count: int = 50,
    seed: int = 0,
    batch_sizes: Sequence[int] | None = None,
) -> str:
    """Write a small `cifar-10-python.tar.gz` to `path`.

    Args:
        path: the archive's file.
        train_count: images in five training batches, unless `batch_sizes` says otherwise.
        test_count: images in the test batch.
        seed: of labels and noise.
        batch_sizes: images in data_batch_1, data_batch_2, ...

    Returns:
        Its sha256.
    """
    return write_tar(path, cifar10_members(train_count, test_count, seed, batch_sizes))


def write_cifar100_archive(path: Path, train_count: int = 300, test_count: int = 100, seed: int = 0) -> str:
    """Write a small `cifar-100-python.tar.gz` to `path` and return its sha256."""
    names = [f"fine{label:02}" for label in range(100)]
    members = {"meta": python2_pickle({"fine_label_names": names, "coarse_label_names": names[:20]})}
    for number, (name, size) in enumerate({"train": train_count, "test": test_count}.items()):
        labels = balanced_labels(size, 100, seed + number)
        rows = cifar_rows(patterned_images(labels, seed + 1000 + number))
        coarse = [label // 5 for label in labels]
        members[name] = python2_pickle({"fine_labels": labels, "coarse_labels": coarse, "data": rows})
    return write_tar(path, {f"cifar-100-python/{name}": content for name, content in members.items()})


def write_image_folder(
    path: Path,
    classes: Sequence[str] = ("apple", "bee", "cat"),
    per_class: int = 20,
    test_per_class: int = 5,
    seed: int = 0,
) -> None:
    """Write `path`/{train,test}/<class>/<number>.png, of several sizes; no test folder if `test_per_class` is 0."""
    for part, count in (("train", per_class), ("test", test_per_class)):
        for label, name in enumerate(classes):
            for number in range(count):
                size = (24 + number % 3 * 8, 24 + number % 2 * 8)
                file = path / part / name / f"{number:03}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(patterned_images([label], seed + 1000 * (part == "test") + number, size)[0]).save(file)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def serve(folder: Path, handler: type[SimpleHTTPRequestHandler] = QuietHandler) -> Iterator[str]:
    """Serve `folder` over loopback HTTP; gives the base URL, without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
