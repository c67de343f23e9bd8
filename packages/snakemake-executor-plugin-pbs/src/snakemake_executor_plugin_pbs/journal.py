"""The journal: files that record which PBS jobs were submitted from a work directory and have not ended yet.

Each job has two files, named after its outputs. The first describes the job and is written before qsub starts. The
second receives the job id directly from qsub. So every submitted job is recorded, even if Snakemake is killed while
qsub runs. This module starts no program and imports nothing from the package.
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
    """Description of a submitted job. Its fields are also the keys of the JSON file.

    Attributes:
        key: digest of the outputs; see `outputs_key`.
        outputs: output files of the job, or of all members of a group job. Only one job at a time may write them.
            Snakemake can form the groups differently in each run, so the key alone does not identify an output.
        members: provenance digest of each member, by the member's key. A job without a group is its only member.
        log: path of the log that PBS writes. No other job has a log of the same name.
        is_deleted: True if qdel was called for this job. The job may still be running, or may have succeeded just
            before the call.
    """

    key: str
    outputs: list[str]
    members: dict[str, str]
    log: str
    is_deleted: bool = False

    @classmethod
    def of(cls, job: JobExecutorInterface, log: Path) -> "Entry":
        """Describe a job that is about to be submitted, with the current state of its inputs."""
        members = members_of(job)
        outputs = [name for member in members for name in _output_names(member)]
        digests = {outputs_key(member): provenance_digest(member, within=outputs) for member in members}
        return cls(outputs_key(job), outputs, digests, str(log))


class Journal:
    """The journal of a work directory.

    Args:
        folder: folder of the files. It is created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, entry: Entry) -> IO[str]:
        """Record a job that is about to be submitted.

        Returns:
            The empty file for the output of qsub. It is locked until both this process and qsub have closed it.
        """
        self.id_file(entry.key).unlink(missing_ok=True)
        self._write_entry(entry)
        stream = self.id_file(entry.key).open("w")
        _try_lock(stream, fcntl.LOCK_EX)
        return stream

    def mark_deleted(self, entry: Entry) -> None:
        """Record that qdel was called for a job."""
        self._write_entry(replace(entry, is_deleted=True))

    def remove(self, entry: Entry) -> None:
        """Remove the files of a job that has ended or was not accepted."""
        self.id_file(entry.key).unlink(missing_ok=True)
        self._entry_file(entry.key).unlink(missing_ok=True)

    def read(self, timeout: float) -> list[tuple[str, Entry]]:
        """Read the entries of all jobs that were submitted.

        Args:
            timeout: seconds to wait for calls of qsub that an earlier Snakemake started and that still run.

        Returns:
            The job id and the entry of each job. The id is "" if the host or qsub died before qsub wrote the id.
        """
        entries, deadline = [], time.monotonic() + timeout
        for path in sorted(self.folder.glob("*.json")):
            id_file = self.id_file(path.stem)
            while _is_locked(id_file) and time.monotonic() < deadline:
                time.sleep(0.1)
            entries.append((read_job_id(id_file), Entry(**json.loads(path.read_text()))))
        return entries

    def write_id(self, entry: Entry, job_id: str) -> None:
        """Record the id of a job whose qsub did not print it."""
        self.id_file(entry.key).write_text(job_id)

    def id_file(self, key: str) -> Path:
        """Return the path of the file that receives the job id from qsub."""
        return self.folder / f"{key}.id"

    def _write_entry(self, entry: Entry) -> None:
        new = self.folder / f"{entry.key}.new"
        new.write_text(json.dumps(asdict(entry)))
        new.replace(self._entry_file(entry.key))

    def _entry_file(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def read_job_id(id_file: Path) -> str:
    """Return the job id, such as 1234.pbs1, from the output of qsub, or "" if there is none."""
    output = id_file.read_text(errors="replace") if id_file.is_file() else ""
    return next((word for word in reversed(output.split()) if re.fullmatch(r"\d+(\[\d*\])?\.\S+", word)), "")


def outputs_key(job: JobExecutorInterface) -> str:
    """Return a digest of the output paths of a job or of a group job."""
    return _digest(sorted(_output_names(member) for member in members_of(job)))


def provenance_digest(job: JobExecutorInterface, within: Sequence[str] = ()) -> str:
    """Return a digest of everything that determines the outputs of a job: code, inputs and params of its rule.

    Args:
        job: a job that is not a group job.
        within: outputs of the job's group. The digest ignores the state of these files, because the group writes them.
    """
    rule, inputs = job.rule, [str(path) for path in job.input]
    code = [str(getattr(rule, name, None)) for name in ("shellcmd", "run_func_src", "script", "notebook", "wrapper")]
    params = [repr(sorted(map(repr, value)) if isinstance(value, set | frozenset) else value) for value in job.params]
    external_inputs = [[path, *_modification_and_size(Path(path))] for path in inputs if path not in within]
    return _digest([rule.name, code, _output_names(job), inputs, external_inputs, params])


def members_of(job: JobExecutorInterface) -> list[JobExecutorInterface]:
    """Return the jobs of a group job, or a list of the one job."""
    return list(job.jobs) if job.is_group() else [job]


def _output_names(job: JobExecutorInterface) -> list[str]:
    """Return the output paths of a job, or its rule and wildcards if the job has no output."""
    return [str(value) for value in job.output] or [job.rule.name, *map(str, job.wildcards)]


def _modification_and_size(path: Path) -> tuple[int, int]:
    """Return the modification time in nanoseconds and the size in bytes, or zeros if the file cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _is_locked(id_file: Path) -> bool:
    """Return True if a qsub that another process started may still write to the file."""
    try:
        with id_file.open("r") as stream:
            return not _try_lock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False


def _try_lock(stream: IO[str], operation: int) -> bool:
    """Lock a file; return False if another process holds the lock.

    On a file system without locks the result is True: waiting for a lock would otherwise never end.
    """
    try:
        fcntl.flock(stream, operation)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
