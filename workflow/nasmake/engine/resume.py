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

from nasmake.core.files import read_json, sha256_of, sweep_temporaries, write_json
from nasmake.core.process import process_count, rank
from nasmake.engine.distributed import wait_for_all
from nasmake.jobs.cli import AlreadyDoneError

CHECKSUMS = "checksums.json"


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

    After an exception the folder stays for the next run. At the end only links to the outputs stay in it, until the
    controller has noted the end of the job and calls `forget_finished`. The kernel releases the lock when
    the process ends, also after kill -9. A job whose controller has died continues; the job that replaces it waits
    here until the first job is done.

    Args:
        unit: folder of the stage's results.
        stage: name of the stage.
        fingerprint: of everything that decides the bytes of the results.
        outputs: the artefacts of the stage.

    Raises:
        AlreadyDoneError: all `outputs` are there, since this process had to wait, or since an earlier job kept them.
    """
    path = unit / ".resume" / f"{stage}-{fingerprint}"
    if rank() > 0:
        wait_for_all()  # rank 0 holds the lock
        yield ResumeFolder(path)
        wait_for_all()
        return
    with _locked(path.with_suffix(".lock")) as has_waited:
        if has_waited and all(output.is_file() for output in outputs):
            raise AlreadyDoneError("done by the process that was waited for")
        finished = FinishedStage(path / "finished", unit, outputs)
        if process_count() == 1 and finished.restore():
            raise AlreadyDoneError("done by an earlier job, whose results were kept until the study had noted its end")
        path.mkdir(parents=True, exist_ok=True)
        for folder in {path, *(output.parent for output in outputs)}:
            sweep_temporaries(folder)
        wait_for_all()
        yield ResumeFolder(path)
        wait_for_all()  # the other ranks have read what they need
        finished.keep()


@dataclass(frozen=True)
class FinishedStage:
    """The outputs of a stage that ended well, kept as hard links that take no space.

    Snakemake deletes the outputs of a job that it starts again. It does so with a finished job if the controller died
    before the job did, or if a signal arrived after the outputs were written.

    Attributes:
        folder: where the links are.
        unit: folder of the stage's results.
        outputs: the artefacts of the stage.
    """

    folder: Path
    unit: Path
    outputs: Sequence[Path]

    def keep(self) -> None:
        """Link the outputs, and remove the training state.

        The state stays if an output is missing. In that case, another start of the study has deleted it, and the job
        of that start waits for this one. It makes the outputs again from the state.
        """
        if not all(map(Path.is_file, self.outputs)):
            return
        for output in self.outputs:
            kept = self._kept(output)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.unlink(missing_ok=True)
            _link(output, kept)
        write_json(self.folder / CHECKSUMS, self._checksums())
        for state in self.folder.parent.iterdir():
            if state.is_dir() and state != self.folder:  # that of one of several networks
                shutil.rmtree(state)
            elif state != self.folder:
                state.unlink(missing_ok=True)

    def restore(self) -> bool:
        """Put the kept outputs in their place, where Snakemake may have deleted them, and return whether that was done.

        If none was kept, or one is damaged, nothing is done.

        Raises:
            InputError: the list of checksums is damaged.
        """
        checksums = self.folder / CHECKSUMS
        if not checksums.is_file() or read_json(checksums) != self._checksums():
            return False
        for output in self.outputs:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.unlink(missing_ok=True)
            _link(self._kept(output), output)
        return True

    def _kept(self, output: Path) -> Path:
        return self.folder / output.relative_to(self.unit)

    def _checksums(self) -> dict[str, str]:
        kept = [self._kept(output) for output in self.outputs]
        return {path.name: sha256_of(path) for path in kept if path.is_file()}


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # the file system has no hard links
        shutil.copyfile(source, target)


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
