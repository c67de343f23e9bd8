"""Which PBS jobs were submitted from this work directory and have not been seen to end.

Two files a job, named by its outputs: what it is, written before qsub, and the id, written by qsub itself. So a
Snakemake that dies at any moment, even while qsub is at work, leaves no job that nobody knows of.
"""

import fcntl
import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


@dataclass(frozen=True)
class Entry:
    """A job of this run or of one before.

    Attributes:
        key: of its outputs.
        outputs: there is one job at a time that makes them; a group of jobs may be put together anew in each run.
        members: the jobs, one or those of a group: digests of all that decides their outputs, by keys of their own.
        log: file that PBS writes.
        is_deleted: PBS was told to delete it; it may take its time, or have ended well just before.
    """

    key: str
    outputs: list[str]
    members: dict[str, str]
    log: str
    is_deleted: bool = False

    @classmethod
    def of(cls, job: JobExecutorInterface, log: Path) -> "Entry":
        """The entry of a job that is about to be submitted, with its inputs as they are now."""
        members = members_of(job)
        outputs = [name for member in members for name in _names(member)]
        digests = {key_of(member): digest_of(member, within=outputs) for member in members}
        return cls(key_of(job), outputs, digests, str(log))

    def is_complete(self) -> bool:
        """Whether all outputs are there."""
        return all(Path(output).exists() for output in self.outputs)


class Journal:
    """The entries of a work directory.

    Args:
        folder: where they are; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, entry: Entry) -> IO[str]:
        """Note a job before it is submitted.

        Returns:
            The file for qsub's output, empty. It is locked as long as this process or qsub lives.
        """
        self.id_file(entry.key).unlink(missing_ok=True)
        self._write_entry(entry)
        stream = self.id_file(entry.key).open("w")
        _lock(stream, fcntl.LOCK_EX)
        return stream

    def mark_deleted(self, entry: Entry) -> None:
        """Note that PBS was told to delete a job."""
        self._write_entry(replace(entry, is_deleted=True))

    def remove(self, entry: Entry) -> None:
        """Forget a job that has ended."""
        self.id_file(entry.key).unlink(missing_ok=True)
        self._entry_file(entry.key).unlink(missing_ok=True)

    def read(self, patience: float) -> dict[str, Entry]:
        """All entries of jobs that PBS has accepted, by id.

        Args:
            patience: seconds to wait for calls of qsub that a Snakemake has left at work.
        """
        found, deadline = {}, time.monotonic() + patience
        for path in sorted(self.folder.glob("*.json")):
            id_file = self.id_file(path.stem)
            while _is_open(id_file) and time.monotonic() < deadline:
                time.sleep(0.1)
            if external := read_id(id_file):
                found[external] = Entry(**json.loads(path.read_text()))
        return found

    def id_file(self, key: str) -> Path:
        """Where qsub writes the id of a job."""
        return self.folder / f"{key}.id"

    def _write_entry(self, entry: Entry) -> None:
        self._entry_file(entry.key).write_text(json.dumps(asdict(entry)))

    def _entry_file(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def read_id(id_file: Path) -> str:
    """The job's id, such as 1234.pbs1, in what qsub printed; empty if there is none."""
    printed = id_file.read_text(errors="replace") if id_file.is_file() else ""
    return next((word for word in reversed(printed.split()) if re.fullmatch(r"\d+(\[\d*\])?\.\S+", word)), "")


def key_of(job: JobExecutorInterface) -> str:
    """What stands for the outputs of a job, or of a group of jobs."""
    return _digest(sorted(_names(member) for member in members_of(job)))


def digest_of(job: JobExecutorInterface, within: Sequence[str] = ()) -> str:
    """What stands for all that decides a job's outputs: its rule's code, inputs, params.

    Args:
        job: one job.
        within: outputs of its group, which are no inputs from outside.
    """
    rule, inputs = job.rule, [str(path) for path in job.input]
    code = [str(getattr(rule, name, None)) for name in ("shellcmd", "run_func_src", "script", "notebook", "wrapper")]
    params = [repr(sorted(map(repr, value)) if isinstance(value, set | frozenset) else value) for value in job.params]
    outside = [[path, *_state(Path(path))] for path in inputs if path not in within]
    return _digest([rule.name, code, _names(job), inputs, outside, params])


def members_of(job: JobExecutorInterface) -> list[JobExecutorInterface]:
    """The jobs of a group, or the one job."""
    return list(job.jobs) if job.is_group() else [job]


def _names(job: JobExecutorInterface) -> list[str]:
    """A job's outputs, or what stands for them where it has none."""
    return [str(value) for value in job.output] or [job.rule.name, *map(str, job.wildcards)]


def _state(path: Path) -> tuple[int, int]:
    """Time and size of a file; a file that was made again differs."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _is_open(id_file: Path) -> bool:
    """Whether a qsub that this process has not started may still write its id."""
    try:
        with id_file.open("r") as stream:
            return not _lock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False


def _lock(stream: IO[str], how: int) -> bool:
    """Take the lock; where the file system has none, it counts as taken."""
    try:
        fcntl.flock(stream, how)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
