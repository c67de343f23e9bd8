"""GPUs of this host, each held by one job at a time: Snakemake counts them, but says to no job which are its own.

A job holds a lock on a file for each of its devices as long as it lives; kill -9 frees them. No torch here: the devices
have to be chosen before it is loaded.
"""

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from nasmake.core.errors import InputError
from nasmake.core.hardware import gpu_ids
from nasmake.core.process import CANDIDATES, VISIBLE

SCHEDULER_JOBS = ("SLURM_JOB_ID", "PBS_JOBID")  # each has devices of its own, which may be numbered alike
PAUSE = 0.1  # seconds between two looks for free devices
_held = ExitStack()  # for the life of the process


def lease_devices(count: int) -> None:
    """Wait until so many of the candidates are free, hold them, and let CUDA see nothing else.

    Candidates are those that the environment shows, or all of this host; of these the ones that environment.device_ids
    names. Where there is no device at all, nothing happens: a job that needs one says so when it starts.

    Raises:
        InputError: there are fewer candidates.
    """
    candidates = _candidates()
    if candidates is None:
        return
    if len(candidates) < count:
        raise InputError(
            f"environment.gpus: {count} asked for, but this job may use {len(candidates)}: {', '.join(candidates)} "
            f"({VISIBLE}, environment.device_ids); set fewer"
        )
    os.environ[VISIBLE] = ",".join(_taken(candidates, count, _folder()))


def _candidates() -> list[str] | None:
    """Names of the devices that this job may take; None if there is no device."""
    shown = os.environ.get(VISIBLE)
    present = gpu_ids() if shown is None else [name.strip() for name in shown.split(",") if name.strip()]
    wanted = os.environ.get(CANDIDATES)
    if not present:
        return None
    return [name for name in present if wanted is None or name in wanted.split(",")]


def _folder() -> Path:
    job = next((os.environ[name] for name in SCHEDULER_JOBS if name in os.environ), "host")
    folder = Path(tempfile.gettempdir(), f"nasmake-{os.getuid()}", job.replace("/", "_"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _taken(candidates: Sequence[str], count: int, folder: Path) -> list[str]:
    """Hold all or none: two jobs that hold a part each would wait for ever."""
    said = False
    while True:
        with ExitStack() as held:
            try:
                names = _lock(candidates, count, folder, held)
            except OSError as error:
                print(f"warning: {folder}: no locks ({error}); jobs on this host may share a GPU", file=sys.stderr)
                return list(candidates[:count])
            if len(names) == count:
                _held.push(held.pop_all())
                return names
        if not said:
            said = True
            print(f"waiting: fewer than {count} of the GPUs {', '.join(candidates)} are free", flush=True)
        time.sleep(PAUSE)


def _lock(candidates: Sequence[str], count: int, folder: Path, held: ExitStack) -> list[str]:
    names: list[str] = []
    for name in candidates:
        stream: IO[str] = held.enter_context((folder / f"gpu-{name.replace('/', '_')}.lock").open("a"))
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        names.append(name)
        if len(names) == count:
            break
    return names
