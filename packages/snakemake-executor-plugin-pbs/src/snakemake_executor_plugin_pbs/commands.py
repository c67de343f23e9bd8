"""Run qsub, qstat and qdel.

Each call has a time limit. Each program runs in its own session, so that Ctrl-C in the terminal does not reach it.
This module imports only `verdicts`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, TypeVar

from snakemake_executor_plugin_pbs.verdicts import parse_qstat, parse_unknown_ids

BATCH_SIZE = 100  # jobs in one call of qstat or qdel; a call per job would overload the PBS server
QUERY_TIMEOUT = 60.0  # seconds, for qstat and qdel
QSUB_TIMEOUT = 120.0  # seconds; a job can be queued although its qsub exceeded this limit
RETRY_DELAY = 5.0  # seconds
NO_ANSWER = -1  # status of a program that did not start, or did not end within its time limit
NO_REPLY = 255  # exit status of qsub: the server did not reply, but may have accepted the job
ATTEMPTS = 3  # calls of qdel, and of qstat for a job without a known id

T = TypeVar("T")


@dataclass(frozen=True)
class CommandResult:
    """Result of a program.

    Attributes:
        status: exit status, or NO_ANSWER.
        out: standard output.
        err: standard error.
    """

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class QstatResult:
    """Result of a call of qstat; a job that is in neither attribute has an unknown state.

    Attributes:
        jobs: attributes of each job that qstat reported, by job id.
        unknown_ids: ids of the jobs that PBS does not know.
        error: why qstat reported nothing at all, or "".
    """

    jobs: dict[str, dict[str, str]]
    unknown_ids: set[str]
    error: str = ""


class NoAnswerError(Exception):
    """qstat did not answer in ATTEMPTS calls. The message is its last error."""


def run(command: Sequence[str], timeout: float, output: IO[str] | None = None) -> CommandResult:
    """Run a program until it ends or exceeds the time limit.

    Args:
        command: program and arguments.
        timeout: time limit in seconds.
        output: file for the standard output. `out` of the result is then empty.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return CommandResult(NO_ANSWER, "", str(error))
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the whole session, because child processes keep the pipes open
            return CommandResult(NO_ANSWER, "", f"{command[0]}: no answer within {timeout:.0f} seconds")
    return CommandResult(process.returncode, out or "", err)


def qsub(arguments: Sequence[str], id_file: IO[str]) -> CommandResult:
    """Submit a job and write its id directly to `id_file`."""
    with id_file:
        return run(["qsub", *arguments], QSUB_TIMEOUT, id_file)


def find_jobs_by_log(names: Collection[str]) -> dict[str, str]:
    """Return the ids of the jobs, also of ended ones, that write logs with these names, by the name of the log.

    Call this function if it is unknown whether PBS accepted a job. The names of logs are unique.

    Raises:
        NoAnswerError: qstat does not answer.
    """
    for _ in range(ATTEMPTS):
        time.sleep(RETRY_DELAY)  # a background process of qsub may still be submitting the job
        result = run(["qstat", "-x", "-f"], QUERY_TIMEOUT)
        if result.status == 0:
            logs = {
                PurePath(job.get("Output_Path", "")).name: job_id for job_id, job in parse_qstat(result.out).items()
            }
            return {name: logs[name] for name in names if name in logs}
    raise NoAnswerError(result.err.strip())


def qstat(job_ids: Sequence[str]) -> QstatResult:
    """Query jobs, including jobs that have ended."""
    # No -F json: the JSON output of OpenPBS 23.06 contains only the first of several jobs.
    result = run(["qstat", "-x", "-f", *job_ids], QUERY_TIMEOUT)
    jobs, unknown_ids = parse_qstat(result.out), parse_unknown_ids(result.err)
    return QstatResult(jobs, unknown_ids, "" if jobs or unknown_ids else one_line(result.err))


def qdel(job_ids: Sequence[str]) -> tuple[list[str], str]:
    """Delete jobs; a job that has ended or is unknown is not an error.

    Returns:
        The ids of the jobs that PBS did not delete, and why. Both are empty on success.
    """
    remaining, reason = list(job_ids), ""
    for attempt in range(ATTEMPTS):
        result = run(["qdel", *remaining], QUERY_TIMEOUT)
        errors = [
            line
            for line in result.err.splitlines()
            if line and "has finished" not in line and "Unknown Job Id" not in line
        ]
        if result.status == 0 or (result.status != NO_ANSWER and not errors):
            return [], ""
        reason = one_line(" ".join(errors))
        words = set(reason.split())
        remaining = [job_id for job_id in remaining if job_id in words] or remaining
        if attempt + 1 < ATTEMPTS:
            time.sleep(RETRY_DELAY)
    return remaining, reason


def one_line(text: str) -> str:
    """Return a text with all white space, also the ends of lines, replaced by single spaces."""
    return " ".join(text.split())


def batches(items: Sequence[T]) -> list[Sequence[T]]:
    """Split jobs or job ids into sequences of at most BATCH_SIZE."""
    return [items[start : start + BATCH_SIZE] for start in range(0, len(items), BATCH_SIZE)]
