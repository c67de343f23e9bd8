"""What a controller (a running Snakemake) does for itself before it reads the rules."""

import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from shlex import quote
from typing import IO

from nasmake.config import Config
from nasmake.config.environment import NO_GROUP
from nasmake.core.process import CANDIDATES, GPUS_OF_A_JOB, LOADER_WORKERS, PAYS

_held: list[IO[str]] = []  # open files, kept until the process ends
PATIENCE = 2.0  # seconds in which another process that only looks has let go of the flock again


def clear_stale_lock(snakemake_folder: Path) -> None:
    """Remove the lock files of a dead controller of this host; those of a living one, or of another host, stay.

    A controller that runs jobs holds an flock on `<snakemake_folder>/controller` (see `hold_lock`), which the kernel
    drops with the process. Locks newer than that file are of a controller that has just begun. Across hosts an flock
    may not be seen, so there Snakemake asks for `--unlock` itself. This touches Snakemake's private files: a test kills
    a real controller to see that it still works.
    """
    marker = snakemake_folder / "controller"
    if not marker.is_file() or marker.read_text() != socket.gethostname():
        return
    with marker.open("a") as stream:
        if not _lock(stream):
            return
        for lock in (snakemake_folder / "locks").glob("*.lock"):
            if lock.stat().st_mtime <= marker.stat().st_mtime:
                lock.unlink(missing_ok=True)


def hold_lock(snakemake_folder: Path) -> None:
    """Mark this process as the controller at work, for the rest of its life."""
    stream = (snakemake_folder / "controller").open("a+")
    deadline = time.monotonic() + PATIENCE
    while not _lock(stream):
        if time.monotonic() > deadline:  # --nolock: two controllers, as the user wished
            return
        time.sleep(0.05)
    _held.append(stream)
    stream.truncate(0)
    stream.write(socket.gethostname())
    stream.flush()


def prepare_environment() -> None:
    """Set what the jobs inherit.

    The rules' `python` is the one that runs Snakemake, also where its environment is not activated; and the package is
    found by an environment that a rule brings along (--software-deployment-method).
    """
    _put_first("PATH", Path(sys.executable).parent)
    _put_first("PYTHONPATH", Path(__file__).resolve().parents[2])


def export_environment(config: Config) -> None:
    """Set what jobs inherit of the configuration, though it is none of their settings: another value reruns nothing."""
    if config.ABCI.group != NO_GROUP:
        os.environ.setdefault(PAYS, config.ABCI.group)  # the executor of profiles/abci reads it
    os.environ[GPUS_OF_A_JOB] = str(config.environment.gpus)
    os.environ[LOADER_WORKERS] = str(config.environment.num_workers)
    if config.environment.device_ids is not None:
        os.environ[CANDIDATES] = ",".join(map(str, config.environment.device_ids))


def _lock(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:  # held by a living controller, or a file system without flock
        return False


def _put_first(variable: str, folder: Path) -> None:
    present = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{present}" if present else str(folder)


def prologue(preamble: str | None, interpreter: Path) -> str:
    """What every job on a cluster begins with: the commands of ABCI.job_script_preamble, and bash's strict mode.

    An environment that they activate does not take the place of the one that nasmake runs in.

    Args:
        preamble: the file; None, or one that is not there, for no commands.
        interpreter: Python of nasmake's environment.

    Returns:
        For Snakemake's `shell.prefix`: braces are doubled.
    """
    strict = "set -euo pipefail; "
    if preamble is None or not Path(preamble).is_file():
        return strict
    commands = f"source {quote(str(Path(preamble).resolve()))}; export PATH={quote(str(interpreter.parent))}:$PATH; "
    return (commands + strict).replace("{", "{{").replace("}", "}}")
