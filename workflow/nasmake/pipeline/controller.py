"""What the controller, a running Snakemake, sets up for itself and its jobs before it reads the rules.

The controller holds a lock, so that a later one recognises the lock files of a dead one, and it exports environment
variables to its jobs. The Snakefile imports this module, so it loads no torch. It imports core and config.
"""

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

PATIENCE = 2.0  # seconds in which a dry run, which tries the lock for a moment, has released it again
_locked_files: list[IO[str]] = []  # kept open until the process ends, because closing a file drops its lock


def clear_stale_lock(snakemake_folder: Path) -> None:
    """Remove the lock files of a dead controller of this host. Those of a living one, or of another host, stay.

    A controller that runs jobs holds an flock on `<snakemake_folder>/controller` (see `hold_lock`). The kernel drops
    this flock when the process ends. Lock files that are newer than the file belong to a controller that has just
    begun. An flock may be invisible on another host, so Snakemake asks for `--unlock` there. The lock files are private
    to Snakemake: a test kills a real controller to see that this function still works.
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
    """Mark this process as the controller at work until it ends."""
    stream = (snakemake_folder / "controller").open("a+")
    deadline = time.monotonic() + PATIENCE
    while not _lock(stream):
        if time.monotonic() > deadline:  # with --nolock two controllers run, as the user asked for
            return
        time.sleep(0.05)
    _locked_files.append(stream)
    stream.truncate(0)
    stream.write(socket.gethostname())
    stream.flush()


def _lock(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:  # a living controller holds the lock, or the file system has no flock
        return False


def prepare_environment() -> None:
    """Put this Python and this package first in the environment of the jobs.

    The command `python` of a rule is then the Python that runs Snakemake, even if its environment is not activated. A
    rule's own environment (--software-deployment-method) finds the package.
    """
    for variable, folder in (
        ("PATH", Path(sys.executable).parent),
        ("PYTHONPATH", Path(__file__).resolve().parents[2]),
    ):
        inherited = os.environ.get(variable)
        os.environ[variable] = f"{folder}{os.pathsep}{inherited}" if inherited else str(folder)


def export_environment(config: Config) -> None:
    """Export the keys that jobs need although they do not decide a result. Changing one of them reruns nothing."""
    if config.ABCI.group != NO_GROUP:
        os.environ.setdefault(PAYS, config.ABCI.group)  # the executor of profiles/abci reads it
    os.environ[GPUS_OF_A_JOB] = str(config.environment.gpus)
    os.environ[LOADER_WORKERS] = str(config.environment.num_workers)
    if config.environment.device_ids is not None:
        os.environ[CANDIDATES] = ",".join(map(str, config.environment.device_ids))


def prologue(preamble: str | None, interpreter: Path) -> str:
    """Return the shell commands at the start of every cluster job: the preamble, and bash's strict mode.

    The preamble may activate another environment. PATH still begins with the folder of nasmake's Python.

    Args:
        preamble: the file ABCI.job_script_preamble. None, or a missing file, stands for no commands.
        interpreter: Python of nasmake's environment.

    Returns:
        Text for Snakemake's `shell.prefix`, with doubled braces.
    """
    strict = "set -euo pipefail; "
    if preamble is None or not Path(preamble).is_file():
        return strict
    commands = f"source {quote(str(Path(preamble).resolve()))}; export PATH={quote(str(interpreter.parent))}:$PATH; "
    return (commands + strict).replace("{", "{{").replace("}", "}}")
