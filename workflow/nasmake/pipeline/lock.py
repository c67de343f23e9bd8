"""The lock of the Snakemake folder: one controller at a time runs jobs in a folder.

A controller holds an flock on `<snakemake_folder>/controller` before Snakemake writes its own lock files. The kernel
drops the flock when the process ends, in whatever way, so lock files without a holder belong to a dead controller and
are removed. The lock files are private to Snakemake: a test kills real controllers to see that this still works.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nasmake.core.errors import InputError

BOOT = Path("/proc/sys/kernel/random/boot_id")  # the same in all containers of a host, whatever host name they have
PATIENCE = 2.0  # seconds in which a command that only looks at the lock has released it again
_held: list[IO[str]] = []  # kept open until the process ends, because closing a file drops its lock


def hold_lock(snakemake_folder: Path) -> None:
    """Make this process the one controller that runs jobs, until it ends, and remove the locks of a dead one.

    On a file system without flock, Snakemake's own lock has to do.

    Raises:
        InputError: another controller is at work, or the last one was on another host and left its lock files. An
            flock may be invisible on another host, so only the user can tell whether that one is alive.
    """
    marker = snakemake_folder / "controller"
    snakemake_folder.mkdir(exist_ok=True)
    stream = marker.open("a+")
    try:
        if not _acquire(stream, PATIENCE):
            raise InputError(f"{marker}: a study is running here {_holder(marker)}; expected none; wait for its end")
    except OSError:
        return
    if any(_lock_files(snakemake_folder)) and not _is_of_this_host(marker):
        raise InputError(
            f"{marker}: a study was started {_holder(marker)} and has left a lock; expected a lock of this host "
            f"({socket.gethostname()}); if no snakemake runs there any more, type: snakemake --unlock"
        )
    _remove_locks(snakemake_folder)
    _held.append(stream)
    stream.truncate(0)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    stream.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since, "boot": _boot()}))
    stream.flush()
    os.fsync(stream.fileno())


def clear_dead_lock(snakemake_folder: Path) -> None:
    """Remove the lock files of a dead controller of this host, for the commands that do not run jobs."""
    with suppress(OSError), _looking(snakemake_folder) as alone:
        if alone and _is_of_this_host(snakemake_folder / "controller"):
            _remove_locks(snakemake_folder)


def controller_at_work(snakemake_folder: Path) -> str | None:
    """Return the host, the process and the start of the controller that is at work; None if there is none."""
    with suppress(OSError), _looking(snakemake_folder) as alone:
        return None if alone else _holder(snakemake_folder / "controller")
    return None


@contextmanager
def _looking(snakemake_folder: Path) -> Iterator[bool]:
    """Hold the lock for a moment, and yield whether nobody else holds it."""
    with (snakemake_folder / "controller").open("r+") as stream:
        yield _acquire(stream, PATIENCE / 4)


def _acquire(stream: IO[str], seconds: float) -> bool:
    """Return whether the lock could be had within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
        time.sleep(0.05)


def _lock_files(snakemake_folder: Path) -> Iterator[Path]:
    return (snakemake_folder / "locks").glob("*.lock")


def _remove_locks(snakemake_folder: Path) -> None:
    for path in _lock_files(snakemake_folder):
        path.unlink(missing_ok=True)


def _is_of_this_host(marker: Path) -> bool:
    content = _read(marker)
    return content.get("host") == socket.gethostname() or ("boot" in content and content["boot"] == _boot() != "")


def _holder(marker: Path) -> str:
    content = _read(marker)
    if not content:
        return "on an unknown host"
    return f"on host {content.get('host')} (process {content.get('pid')}, since {content.get('since')})"


def _read(marker: Path) -> dict[str, object]:
    try:
        content = json.loads(marker.read_text())
    except (OSError, ValueError):  # an earlier version wrote the host alone; a power cut leaves an empty file
        return {}
    return content if isinstance(content, dict) else {}


def _boot() -> str:
    return BOOT.read_text().strip() if BOOT.is_file() else ""
