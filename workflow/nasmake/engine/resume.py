"""The folder of a stage's training state: named by what the stage computes, and held by one process at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nasmake.core.process import rank
from nasmake.engine.distributed import wait_for_all
from nasmake.jobs.cli import AlreadyDoneError


@dataclass(frozen=True)
class ResumeFolder:
    """Where the training state lies."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The newest training state; its predecessor lies beside it."""
        return self.state("training")

    def state(self, name: str) -> Path:
        """That of one of several runs of a stage, by its name."""
        return self.path / f"{name}.ckpt"


@contextmanager
def resume_folder(unit: Path, stage: str, fingerprint: str, outputs: Sequence[Path]) -> Iterator[ResumeFolder]:
    """Hold `<unit>/.resume/<stage>-<fingerprint>`; it is removed at the end, and left for the next run by an exception.

    The lock goes with the process, also after kill -9. A job whose controller died goes on alone; the job that takes
    its place waits here until it is done.

    Raises:
        AlreadyDoneError: this process had to wait, and then found all `outputs` there.
    """
    path = unit / ".resume" / f"{stage}-{fingerprint}"
    if rank() > 0:
        wait_for_all()  # rank 0 holds the lock
        yield ResumeFolder(path)
        wait_for_all()
        return
    with _locked(path.with_suffix(".lock")) as waited:
        if waited and all(output.is_file() for output in outputs):
            raise AlreadyDoneError
        path.mkdir(parents=True, exist_ok=True)
        wait_for_all()
        yield ResumeFolder(path)
        wait_for_all()  # the others have read what they need
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    while True:
        stream = path.open("a")
        waited |= _lock(stream, path)
        if _still_there(stream, path):
            break
        stream.close()  # the holder before us removed the file: its lock is nobody's
    with stream:
        try:
            yield waited
        finally:
            path.unlink(missing_ok=True)


def _lock(stream: IO[str], path: Path) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        print(f"waiting: another process is at work on this stage (it holds {path})", flush=True)
        fcntl.flock(stream, fcntl.LOCK_EX)
        return True


def _still_there(stream: IO[str], path: Path) -> bool:
    try:
        return os.fstat(stream.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
