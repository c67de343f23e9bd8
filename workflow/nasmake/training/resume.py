"""The folder of a stage's training state: named by what the stage computes, and held by one process at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class ResumeFolder:
    """Where the training state lies.

    Attributes:
        checkpoint: newest training state; its predecessor lies beside it.
        waited: another process held the folder; it may have finished the stage in the meantime.
    """

    path: Path
    waited: bool

    @property
    def checkpoint(self) -> Path:
        return self.path / "training.ckpt"


@contextmanager
def resume_folder(unit: Path, stage: str, fingerprint: str) -> Iterator[ResumeFolder]:
    """Hold `<unit>/.resume/<stage>-<fingerprint>`; it is removed at the end, unless an exception leaves it for the next run.

    The lock goes with the process, also after kill -9. A job whose controller died goes on alone; the job that takes
    its place waits here until it is done.
    """
    path = unit / ".resume" / f"{stage}-{fingerprint}"
    with _locked(path.with_suffix(".lock")) as waited:
        path.mkdir(parents=True, exist_ok=True)
        yield ResumeFolder(path, waited)
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
        yield waited
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
