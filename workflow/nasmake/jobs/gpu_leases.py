"""Lease GPUs of this host to jobs, because Snakemake counts GPUs but does not tell a job which ones to use.

A job locks one file per GPU until it ends, so no two jobs use the same GPU. Jobs that may share a GPU lock its file
together, and another file each, of which there are environment.jobs_per_gpu. The kernel drops the locks of a killed
process. CUDA_VISIBLE_DEVICES must be set before torch is loaded, so this module loads no torch. It imports core.
"""

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.hardware import gpu_ids
from nasmake.core.process import CANDIDATES, VISIBLE, jobs_per_gpu

# A scheduler gives each of its jobs other GPUs, possibly with the same numbers, so locks are kept apart by its job.
SCHEDULER_JOBS = ("SLURM_JOB_ID", "PBS_JOBID")
PAUSE = 0.1  # seconds between two attempts to lock
_held = ExitStack()  # the locked files, open until the process ends


def lease_devices(count: int, *, alone: bool = False) -> None:
    """Wait until `count` GPUs are free, lock them, and show only these to CUDA.

    The candidates are the GPUs in CUDA_VISIBLE_DEVICES, else all GPUs of this host. environment.device_ids restricts
    them. On a host without a GPU this function does nothing, and a job that needs one fails when it starts.

    Args:
        count: number of GPUs.
        alone: no other job may use these GPUs meanwhile, whatever environment.jobs_per_gpu is.

    Raises:
        InputError: there are fewer candidates than `count`.
    """
    shown, allowed = os.environ.get(VISIBLE), os.environ.get(CANDIDATES)
    present = gpu_ids() if shown is None else [name.strip() for name in shown.split(",") if name.strip()]
    if not present:
        return
    candidates = [name for name in present if allowed is None or name in allowed.split(",")]
    if len(candidates) < count:
        raise InputError(
            f"environment.gpus is {count}; expected {len(candidates)} or less, the number of GPUs that {VISIBLE} and "
            f"environment.device_ids allow ({', '.join(candidates) or 'none'})"
        )
    scheduler_job = next((os.environ[name] for name in SCHEDULER_JOBS if name in os.environ), "host")
    folder = Path(tempfile.gettempdir(), f"nasmake-{os.getuid()}", scheduler_job.replace("/", "_"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[VISIBLE] = ",".join(_lease(candidates, count, folder, 1 if alone else jobs_per_gpu()))


def _lease(candidates: Sequence[str], count: int, folder: Path, jobs: int) -> list[str]:
    """Return the names of `count` GPUs that this process has locked.

    Either all locks are kept or none, because two jobs that keep a part each would wait for each other.
    """
    is_waiting = False
    while True:
        with ExitStack() as locks:
            try:
                names = _lock(candidates, count, folder, jobs, locks)
            except OSError as error:
                print(f"warning: {folder}: no locks ({error}); jobs on this host may share a GPU", file=sys.stderr)
                return list(candidates[:count])
            if len(names) == count:
                _held.push(locks.pop_all())
                return names
        if not is_waiting:
            is_waiting = True
            print(f"waiting: fewer than {count} of the GPUs {', '.join(candidates)} are free", flush=True)
        time.sleep(PAUSE)


def _lock(candidates: Sequence[str], count: int, folder: Path, jobs: int, locks: ExitStack) -> list[str]:
    """Lock at most `count` free candidates, put the open files into `locks`, and return the names of the GPUs.

    A GPU gets its second job after each candidate has its first one.
    """
    names: list[str] = []
    for place, name in product(range(jobs), candidates):
        path, kind = folder / f"gpu-{name.replace('/', '_')}.lock", fcntl.LOCK_EX if jobs == 1 else fcntl.LOCK_SH
        with ExitStack() as files:
            try:
                fcntl.flock(files.enter_context(path.open("a")), kind | fcntl.LOCK_NB)
                if jobs > 1:
                    own = files.enter_context(path.with_suffix(f".{place}").open("a"))
                    fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            locks.push(files.pop_all())
        names.append(name)
        if len(names) == count:
            break
    return names
