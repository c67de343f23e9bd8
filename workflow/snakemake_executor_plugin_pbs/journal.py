"""Which PBS jobs were submitted from this work directory and have not been seen to end.

Two files a job, named by its outputs: what it is, written before qsub, and the id, written by qsub itself. So a
Snakemake that dies at any moment, even while qsub is at work, leaves no job that nobody knows of.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


@dataclass(frozen=True)
class Entry:
    """A job of this run or of one before.

    Attributes:
        key: of its outputs.
        outputs: there is one job at a time that makes them; a group of jobs may be put together anew in each run.
        digest: of all that decides its outputs, so that a job is never taken for another.
        log: file that PBS writes.
    """

    key: str
    outputs: list[str]
    digest: str
    log: str

    @classmethod
    def of(cls, job: JobExecutorInterface, log: Path) -> "Entry":
        """The entry of a job that is about to be submitted."""
        outputs = [name for member in _members(job) for name in _names(member)]
        return cls(cls.key_of(job), outputs, cls.digest_of(job), str(log))

    @classmethod
    def key_of(cls, job: JobExecutorInterface) -> str:
        """The key of a job, or of a group of jobs."""
        return _digest(sorted(_names(member) for member in _members(job)))

    @classmethod
    def digest_of(cls, job: JobExecutorInterface) -> str:
        """The digest of a job, or of a group of jobs: inputs as they are now, outputs, params."""
        return _digest(sorted(_facts(member) for member in _members(job)))


class Journal:
    """The entries of a work directory.

    Args:
        folder: where they are; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, entry: Entry) -> Path:
        """Note a job before it is submitted; returns the file that qsub's output has to go to."""
        id_file = self._id_file(entry.key)
        id_file.unlink(missing_ok=True)
        self._entry_file(entry.key).write_text(json.dumps(asdict(entry)))
        return id_file

    def remove(self, entry: Entry) -> None:
        """Forget a job that has ended."""
        self._id_file(entry.key).unlink(missing_ok=True)
        self._entry_file(entry.key).unlink(missing_ok=True)

    def read(self) -> dict[str, Entry]:
        """All entries of jobs that PBS has accepted, by id; a file that was half written is of a job that was not."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            id_file = self._id_file(path.stem)
            if external := read_id(id_file.read_text() if id_file.is_file() else ""):
                found[external] = Entry(**json.loads(path.read_text()))
        return found

    def _entry_file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _id_file(self, key: str) -> Path:
        return self.folder / f"{key}.id"


def read_id(printed: str) -> str:
    """The job's id, the last word that qsub printed; empty if there is none."""
    return (printed.split() or [""])[-1]


def _members(job: JobExecutorInterface) -> Sequence[JobExecutorInterface]:
    return list(job.jobs) if job.is_group() else [job]


def _names(job: JobExecutorInterface) -> list[str]:
    """A job's outputs, or what stands for them where it has none."""
    return [str(value) for value in job.output] or [job.rule.name, *map(str, job.wildcards)]


def _facts(job: JobExecutorInterface) -> list[Any]:
    outputs, params = ([str(value) for value in values] for values in (job.output, job.params))
    return [job.rule.name, outputs, params, [[str(path), *_state(Path(path))] for path in job.input]]


def _state(path: Path) -> tuple[int, int]:
    """Time and size of a file; a file that was made again differs."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
