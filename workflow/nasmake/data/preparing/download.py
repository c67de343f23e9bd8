"""Download archives. An archive is stored completely or not at all, and opened only after its checksum was verified.

An interrupted download stays as `.<archive>.part` and is continued if the server can do so. The caller holds a lock, so
that one process at a time works on this file.

The library pooch (version 1.9.0) was considered instead. It refuses file:// URLs, deletes a file with a wrong checksum,
and silently replaces such a file of the user. Here a file with a wrong checksum is kept as `<archive>.rejected`.
"""

import base64
import http.client
import logging
import re
import shutil
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from nasmake.core.errors import InputError, cut, printable
from nasmake.core.files import fingerprint, read_json, sha256_of, write_json
from nasmake.core.urls import without_secrets

TIMEOUT = 60  # seconds without a byte
WAITS = (1, 5, 25)  # seconds before further attempts after an error that may pass
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416  # HTTP status codes
HANDLERS = (  # of http, https and file; urllib's own opener also follows a redirection to ftp
    urllib.request.ProxyHandler,
    urllib.request.UnknownHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.FileHandler,
)
log = logging.getLogger(__name__)


def fetch(url: str, sha256: str, target: Path, is_configurable: bool = True) -> None:
    """Download an archive to `target`, unless the file exists, and verify its checksum.

    Args:
        url: source; http, https or file. It may have a user name and a password, which appear in no log or error.
        sha256: expected checksum, 64 hexadecimal digits in lower case.
        target: path of the archive.
        is_configurable: whether dataset.sha256 may name another checksum for this archive.

    Raises:
        InputError: the download failed, or the checksum is wrong. In the second case the file is kept as
            `<target>.rejected`.
    """
    if target.exists():
        log.info("source: %s (already there)", target)
        _verify(target, sha256, target, is_configurable)
        return
    log.info("source: %s", printable(without_secrets(url)))
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.*.part"):  # of killed downloads of earlier versions
        left.unlink(missing_ok=True)
    partial = _Partial(target.with_name(f".{target.name}.part"), url)
    is_continued = _download(partial, target)
    if is_continued and sha256_of(partial.path) != sha256:  # the server's archive changed without notice
        log.info("checksum of the continued download is wrong; the archive is downloaded again")
        partial.discard()
        _download(partial, target)
    partial.note.unlink(missing_ok=True)
    _verify(partial.path, sha256, target, is_configurable)
    partial.path.replace(target)


class _Partial:
    """A file that is being downloaded, and beside it a note about the server's file that it is a part of."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url, self.note = path, url, path.with_name(f"{path.name}.json")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that ask for the rest of the file; none if the whole file is needed."""
        try:
            note, size = read_json(self.note), self.path.stat().st_size
        except (InputError, OSError):
            return {}
        if note.get("url") != fingerprint(self.url) or not isinstance(note.get("validator"), str) or not size:
            return {}
        return {"Range": f"bytes={size}-", "If-Range": note["validator"]}

    def receive(self, response: Any, asked: dict[str, str]) -> bool:
        """Write an answer to the file, and return whether it was the rest of the file.

        Raises:
            ConnectionError: the answer is incomplete, or not the part of the file that was asked for.
        """
        is_rest = bool(asked) and response.status == PARTIAL_CONTENT
        start = self.path.stat().st_size if is_rest else 0
        if is_rest and not str(response.headers["Content-Range"]).startswith(f"bytes {start}-"):
            self.discard()
            raise ConnectionError(f"the server sent {response.headers['Content-Range']} instead of bytes {start}-")
        tag, promised = response.headers["ETag"], response.headers["Content-Length"]
        validator = response.headers["Last-Modified"] if tag is None or tag.startswith("W/") else tag
        write_json(self.note, {"url": fingerprint(self.url), "validator": validator})
        with self.path.open("ab" if is_rest else "wb") as stream:
            shutil.copyfileobj(response, stream, 1 << 20)
        if promised is None:
            return is_rest
        if not re.fullmatch("[0-9]{1,18}", promised):
            self.discard()
            raise ValueError(f"the server says that the size is {promised}")
        received, expected = self.path.stat().st_size, start + int(promised)
        if received != expected:  # urllib does not notice a connection that ends early
            raise ConnectionError(f"the connection ended after {received} of {expected} bytes")
        return is_rest


def _download(partial: _Partial, target: Path) -> bool:
    """Download with several attempts, and return whether an earlier download was continued."""
    waits = iter(WAITS)
    while True:
        try:
            asked = partial.headers()
            with _opener().open(_request(partial.url, asked), timeout=TIMEOUT) as response:
                return partial.receive(response, asked)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason, wait = _reason(error, partial.url), next(waits, None)
            if isinstance(error, HTTPError) and error.code == RANGE_NOT_SATISFIABLE:
                partial.discard()
            if wait is None or not _may_pass(error):
                raise InputError(
                    f"{without_secrets(partial.url)}: download failed ({reason}); start again, "
                    f"set dataset.url to a mirror, or put the archive at {target} by hand"
                ) from None
        log.info("download: %s; next attempt in %d s", reason, wait)
        time.sleep(wait)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in HANDLERS:
        opener.add_handler(handler())
    return opener


def _request(url: str, headers: dict[str, str]) -> urllib.request.Request:
    """Return a request in which the user name and the password are a header that no redirection passes on."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)), headers=headers)
    if user:
        basic = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return request


def _may_pass(error: Exception) -> bool:
    """Return whether another attempt may succeed: after a time-out, a lost connection or a fault of the server."""
    if isinstance(error, HTTPError):
        return error.code >= 500 or error.code in (408, 429, RANGE_NOT_SATISFIABLE)
    if isinstance(error, URLError):
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    passing = (TimeoutError, ConnectionError, http.client.IncompleteRead)
    return isinstance(error, passing) and not isinstance(error, ConnectionRefusedError)


def _reason(error: Exception, url: str) -> str:
    """Return the text of an error on one line, without the secrets of URLs and a server's control characters."""
    text = " ".join(str(error).split()).replace(url, without_secrets(url))
    text = re.sub(r"\b[a-z]+://[^\s'\"]+", lambda found: without_secrets(found[0]), text)
    return cut(printable(text), 300)


def _verify(file: Path, expected: str, target: Path, is_configurable: bool) -> None:
    """Compare the checksum of `file` with the expected one, and rename a wrong file to `<target>.rejected`."""
    checksum = sha256_of(file)
    if checksum == expected:
        log.info("checksum ok: sha256 %s", checksum)
        return
    rejected = target.with_name(f"{target.name}.rejected")
    file.replace(rejected)
    trust = f", or, if you trust this file, set dataset.sha256: {checksum} and type: mv {rejected} {target}"
    raise InputError(
        f"{rejected}: wrong checksum; sha256 is {checksum}; expected {expected}; start again to download the archive"
        f"{trust if is_configurable else ''}"
    )
