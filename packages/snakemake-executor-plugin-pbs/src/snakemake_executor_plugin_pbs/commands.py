"""Run qsub, qstat and qdel.

Each call has a time limit. Each program runs in its own session, so that Ctrl-C in the terminal does not reach it.
This module imports only `verdicts`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TypeVar

from snakemake_executor_plugin_pbs.verdicts import parse_qstat, parse_unknown_ids

BATCH_SIZE = 100  # jobs in one call of qstat or qdel; a call per job would overload the PBS server
QUERY_TIMEOUT = 60.0  # seconds, for qstat and qdel
QSUB_TIMEOUT = 120.0  # seconds; a job can be queued although its qsub exceeded this limit
QDEL_ATTEMPTS = 3
RETRY_DELAY = 5.0  # seconds
NO_ANSWER = -1  # status of a program that did not start, or did not end within its time limit
# Exit statuses of qsub. They are PBS error numbers modulo 256 (pbs_error.h of OpenPBS).
LIMIT_REACHED = (38, 39, 198)  # jobs of a user, resources of queued jobs, jobs in a queue
SERVER_SHUTTING_DOWN = 212
NO_REPLY = 255  # the server did not reply, but may have accepted the job

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
    """

    jobs: dict[str, dict[str, str]]
    unknown_ids: set[str]


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


def find_job_by_log(log: str) -> str:
    """Return the id of the job that writes this log, or "" if there is none.

    Call this function if qsub did not report whether PBS accepted the job.
    """
    time.sleep(RETRY_DELAY)  # a background process of qsub may still be submitting the job
    jobs = parse_qstat(run(["qstat", "-f"], QUERY_TIMEOUT).out)
    return next((job_id for job_id, job in jobs.items() if job.get("Output_Path", "").endswith(log)), "")


def qstat(job_ids: Sequence[str]) -> QstatResult:
    """Query jobs, including jobs that have ended."""
    # No -F json: the JSON output of OpenPBS 23.06 contains only the first of several jobs.
    result = run(["qstat", "-x", "-f", *job_ids], QUERY_TIMEOUT)
    return QstatResult(parse_qstat(result.out), parse_unknown_ids(result.err))


def qdel(job_ids: Sequence[str]) -> str:
    """Delete jobs; a job that has ended or is unknown is not an error.

    Returns:
        "" on success, otherwise the errors that PBS printed.
    """
    for attempt in range(QDEL_ATTEMPTS):
        result = run(["qdel", *job_ids], QUERY_TIMEOUT)
        errors = [
            line
            for line in result.err.splitlines()
            if line and "has finished" not in line and "Unknown Job Id" not in line
        ]
        if result.status == 0 or (result.status != NO_ANSWER and not errors):
            return ""
        if attempt + 1 < QDEL_ATTEMPTS:
            time.sleep(RETRY_DELAY)
    return " ".join(errors)


def is_temporary_refusal(result: CommandResult) -> bool:
    """Return True if the same qsub can succeed later: a limit is reached, or the server restarts."""
    server_is_down = result.status == SERVER_SHUTTING_DOWN or "cannot connect to server" in result.err.lower()
    return result.status in LIMIT_REACHED or server_is_down


def batches(items: Sequence[T]) -> list[Sequence[T]]:
    """Split jobs or job ids into sequences of at most BATCH_SIZE."""
    return [items[start : start + BATCH_SIZE] for start in range(0, len(items), BATCH_SIZE)]
