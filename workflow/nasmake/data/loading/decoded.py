"""The centres of image files as one array on disk, for images that are evaluated again and again.

The array is written once and mapped into memory. Its name says what it was made from and has its checksum. It lies in
the folder of the prepared set, or in the user's cache folder if that folder cannot be written.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nasmake.core.files import fingerprint, sync_folder, temporary_for
from nasmake.core.provenance import PROVENANCE
from nasmake.data.loading.arrays import WHOLE
from nasmake.data.loading.image_files import FileSource
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.shared_folder import locked
from nasmake.data.verified import cache_folder, verify_once

VERSION = 1  # of the pixels: raise it if the centre of an image is cut out or scaled in another way
FOLDER = ".decoded"  # hidden, so that the preparation takes it for no file of the user
BATCH = 64  # images that a loader process decodes before it passes them on


def decoded(prepared: Prepared, paths: NDArray[np.bytes_], workers: int) -> NDArray[np.uint8]:
    """Return the centres of images that stay files, uint8 [N, H, W, C]. They are decoded if no earlier job did so.

    Args:
        prepared: the data set.
        paths: of the images, relative to the root of the data set, bytes [N].
        workers: number of loader processes.

    Raises:
        InputError: an image cannot be read.
        OSError: the array cannot be written.
    """
    key, shape = _key(prepared, paths), (len(paths), *prepared.manifest["image_shape"])
    beside, private = prepared.folder / FOLDER, cache_folder() / "decoded"
    path = _intact(beside, key) or _intact(private, key)
    if path is None:
        is_writable = os.access(beside if beside.exists() else prepared.folder, os.W_OK)
        folder = beside if is_writable else private
        with locked(folder / key):  # whoever waited here finds the array
            path = _intact(folder, key) or _write(folder, key, prepared, paths, workers)
    return np.memmap(path, np.uint8, "c", shape=shape)  # copy on write, because torch warns of read-only arrays


def _key(prepared: Prepared, paths: NDArray[np.bytes_]) -> str:
    """Return a hash of everything that decides the pixels."""
    manifest = prepared.manifest
    listing = manifest.get(PROVENANCE, {}).get("listing")
    of_paths = hashlib.sha256(b"\n".join(paths.tolist())).hexdigest()
    return fingerprint(VERSION, version("pillow"), manifest["sha256"], listing, manifest["image_shape"], of_paths)


def _intact(folder: Path, key: str) -> Path | None:
    """Return the array of a key that has the checksum in its name."""
    for path in folder.glob(f"{key}-*.uint8"):
        expected = path.stem.removeprefix(f"{key}-")
        if verify_once(path, expected) == expected:
            return path
    return None


def _write(folder: Path, key: str, prepared: Prepared, paths: NDArray[np.bytes_], workers: int) -> Path:
    size, _, channels = prepared.manifest["image_shape"]
    nothing: dict[str, Any] = {"mean": [0.0] * channels, "std": [1.0] * channels}  # the pixels are not normalised
    labels = torch.zeros(len(paths), dtype=torch.int64)
    source = FileSource(prepared.root, paths, labels, BATCH, (), size=size, workers=workers, **nothing)
    checksum, temporary = hashlib.sha256(), temporary_for(folder / key)
    print(f"images: {len(paths)} are decoded once, and kept in {folder}", flush=True)
    try:
        with temporary.open("wb") as stream:  # written, not mapped: a full disk would kill a process that maps a file
            for step in source:
                pixels = source.pixels(0, step, WHOLE).numpy().tobytes()
                stream.write(pixels)
                checksum.update(pixels)
            stream.flush()
            os.fsync(stream.fileno())
        path = folder / f"{key}-{checksum.hexdigest()}.uint8"
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(folder)
    return path
