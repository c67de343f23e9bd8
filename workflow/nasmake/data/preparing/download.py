"""Download archives. An archive is stored completely or not at all, and opened only after its checksum was verified.

The library pooch (version 1.9.0) was considered instead. It refuses file:// URLs, deletes a file with a wrong checksum,
and silently replaces such a file of the user. Here a file with a wrong checksum is kept as `<archive>.rejected`.
"""

import http.client
import logging
import os
import shutil
import urllib.request
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import sha256_of

TIMEOUT = 60  # seconds without a byte
log = logging.getLogger(__name__)


def fetch(url: str, sha256: str, target: Path) -> None:
    """Download an archive to `target`, unless the file exists, and verify its checksum.

    Args:
        url: source; http, https or file.
        sha256: expected checksum, 64 hexadecimal digits in lower case.
        target: path of the archive.

    Raises:
        InputError: the download failed, or the checksum is wrong. In the second case the file is kept as
            `<target>.rejected`.
    """
    if target.exists():
        log.info("source: %s (already there)", target)
        _verify(target, sha256, target)
        return
    log.info("source: %s", url)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _download(url, partial, target)
        _verify(partial, sha256, target)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _download(url: str, partial: Path, target: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, partial.open("wb") as stream:
            shutil.copyfileobj(response, stream, 1 << 20)
            promised = response.headers["Content-Length"]
        received = partial.stat().st_size
        if promised is not None and received != int(promised):  # urllib does not notice a connection that ends early
            raise OSError(f"the connection ended after {received} of {promised} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url}: download failed ({' '.join(str(error).split())}); start again, set dataset.url to a mirror, "
            f"or put the archive at {target} by hand"
        ) from None


def _verify(file: Path, expected: str, target: Path) -> None:
    """Compare the checksum of `file` with the expected one, and rename a wrong file to `<target>.rejected`."""
    checksum = sha256_of(file)
    if checksum == expected:
        log.info("checksum ok: sha256 %s", checksum)
        return
    rejected = target.with_name(f"{target.name}.rejected")
    file.replace(rejected)
    raise InputError(
        f"{rejected}: wrong checksum; sha256 is {checksum}; expected {expected}; start again to download the archive, "
        f"or, if you trust this file, set dataset.sha256: {checksum} and type: mv {rejected} {target}"
    )
