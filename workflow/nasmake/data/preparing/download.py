"""Archives: downloaded whole or not at all, and never opened before the checksum is right."""

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
    """Have the archive with checksum `sha256` at `target`; one that lies there already is used without a download.

    Raises:
        InputError: the download failed, or the checksum is wrong; the file is then kept as `<target>.rejected`.
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
        received = partial.stat().st_size  # a connection that ends early looks like the end of the file
        if promised is not None and received != int(promised):
            raise OSError(f"the connection ended after {received} of {promised} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url}: download failed ({' '.join(str(error).split())}); start again, set dataset.url to a mirror, "
            f"or put the archive at {target} by hand"
        ) from None


def _verify(file: Path, expected: str, target: Path) -> None:
    found = sha256_of(file)
    if found == expected:
        log.info("checksum ok: sha256 %s", found)
        return
    rejected = target.with_name(f"{target.name}.rejected")
    file.replace(rejected)
    raise InputError(
        f"{rejected}: wrong checksum, expected sha256 {expected}, found {found}; start again to download the archive "
        f"anew, or, if you trust this one, set dataset.sha256: {found} and type: mv {rejected} {target}"
    )
