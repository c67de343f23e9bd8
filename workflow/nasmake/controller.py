"""What a controller (a running Snakemake) does for itself before it reads the rules."""

import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []  # open files, kept until the process ends


def prepare_environment() -> None:
    """Set what the jobs inherit.

    The rules' `python` is the one that runs Snakemake, also where its environment is not activated; and the package is
    found by an environment that a rule brings along (--software-deployment-method).
    """
    _put_first("PATH", Path(sys.executable).parent)
    _put_first("PYTHONPATH", Path(__file__).resolve().parents[1])


def _put_first(variable: str, folder: Path) -> None:
    present = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{present}" if present else str(folder)


def clear_stale_lock(snakemake_folder: Path) -> None:
    """Remove the lock files of a dead controller of this host; those of a living one, or of another host, stay.

    A controller holds an flock on `<snakemake_folder>/controller` for its life; the kernel drops it with the process.
    Across hosts an flock may not be seen, so there Snakemake asks for `--unlock` itself. This touches Snakemake's
    private files: a test kills a real controller to see that it still works.
    """
    snakemake_folder.mkdir(exist_ok=True)
    stream = (snakemake_folder / "controller").open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by a living controller, or a file system without flock
        stream.close()
        return
    _held.append(stream)
    stream.seek(0)
    if stream.read().strip() == socket.gethostname():
        for lock in (snakemake_folder / "locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
    stream.truncate(0)
    stream.write(socket.gethostname())
    stream.flush()
