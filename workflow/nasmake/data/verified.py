"""Verify the checksum of a large file once per host.

A file that had its checksum is remembered by an empty file in the user's cache folder. Its name is a hash of the path,
the checksum, and everything by which the file system shows that the file was changed.
"""

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path

from nasmake.core.files import fingerprint, sha256_of

REMEMBERED = 30 * 24 * 60 * 60  # seconds


def verify_once(path: Path, expected: str) -> str:
    """Return the SHA-256 checksum of a file.

    The file is not read if this host has found the checksum `expected` before and the file did not change since.
    """
    mark = _mark(path, expected)
    with contextlib.suppress(OSError):  # without a cache folder the file is read every time
        if mark.exists():
            return expected
    checksum = sha256_of(path)
    if checksum == expected:
        with contextlib.suppress(OSError):
            _remember(mark)
    return checksum


def cache_folder() -> Path:
    """Return the folder of nasmake in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME', tempfile.gettempdir())}/.cache"
    return Path(cache, "nasmake")


def _mark(path: Path, expected: str) -> Path:
    facts = path.stat()
    changes = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return cache_folder() / "verified" / fingerprint(socket.gethostname(), str(path.resolve()), expected, changes)


def _remember(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for other in mark.parent.iterdir():
        if time.time() - other.stat().st_mtime > REMEMBERED:
            other.unlink(missing_ok=True)
