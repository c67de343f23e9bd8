"""The folder that holds a stage's training state while the stage runs.

The name of the folder says what the stage computes, and one process at a time holds it. This module may import core,
`engine.distributed` and the exceptions of jobs.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nasmake.core.process import rank
from nasmake.engine.distributed import wait_for_all
from nasmake.jobs.cli import AlreadyDoneError


@dataclass(frozen=True)
class ResumeFolder:
    """The folder of a training state."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint of a stage's main training; the checkpoint before it lies in the same folder."""
        return self.state("training")

    def state(self, name: str) -> Path:
        """Return the newest checkpoint of the training `name`, for stages with several trainings."""
        return self.path / f"{name}.ckpt"


@contextmanager
def resume_folder(unit: Path, stage: str, fingerprint: str, outputs: Sequence[Path]) -> Iterator[ResumeFolder]:
    """Hold the folder `<unit>/.resume/<stage>-<fingerprint>`.

    The folder is removed at the end. After an exception it stays for the next run. The kernel releases the lock when
    the process ends, also after kill -9. A job whose controller has died continues; the job that replaces it waits
    here until the first job is done.

    Args:
        unit: folder of the stage's results.
        stage: name of the stage.
        fingerprint: of everything that decides the bytes of the results.
        outputs: the artefacts of the stage.

    Raises:
        AlreadyDoneError: this process had to wait, and then all `outputs` were there.
    """
    path = unit / ".resume" / f"{stage}-{fingerprint}"
    if rank() > 0:
        wait_for_all()  # rank 0 holds the lock
        yield ResumeFolder(path)
        wait_for_all()
        return
    with _locked(path.with_suffix(".lock")) as has_waited:
        if has_waited and all(output.is_file() for output in outputs):
            raise AlreadyDoneError
        path.mkdir(parents=True, exist_ok=True)
        wait_for_all()
        yield ResumeFolder(path)
        wait_for_all()  # the other ranks have read what they need
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock on the file `path`, and yield whether this process had to wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    has_waited = False
    while True:
        stream = path.open("a")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting: another process is at work on this stage (it holds {path})", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
            has_waited = True
        try:
            if os.fstat(stream.fileno()).st_ino == path.stat().st_ino:
                break
        except FileNotFoundError:
            pass
        stream.close()  # the last holder removed this file, so a lock on it excludes nobody
    with stream:
        try:
            yield has_waited
        finally:
            path.unlink(missing_ok=True)
