"""Parse the output of qstat and decide whether a PBS job is running, has succeeded or has failed.

This module starts no program and imports nothing from the package.

The rules were measured on OpenPBS 23.06 as an ordinary user. The exit status alone is not enough. A job that was
deleted from the queue has no exit status. A job that PBS queued again after a node failure keeps its old exit status.
A job that was deleted while it ran can have exit status 0.
"""

import re
from collections.abc import Mapping
from enum import Enum

HELD = "H"  # job state
MOVED = "M"  # job state
ENDED_STATES = ("F", "X", MOVED)  # finished, expired (member of an array), moved to another server
NORMAL_END = "92"  # substate of a job that ended by itself without an error
DELETED = "91"  # substate
WALLTIME_EXCEEDED = "-29"  # exit status
NODE_LOST = "-20"  # exit status
SHELL_SIGNAL_OFFSET = 128  # a shell adds this to the signal that ended one of its commands
PBS_SIGNAL_OFFSET = 256  # PBS adds this to the signal that ended the whole session of a job
PBS_ERRORS = {  # negative exit statuses come from PBS itself (job.h of OpenPBS)
    "-1": "PBS could not start the job (before it staged the files)",
    "-2": "PBS could not start the job (after it staged the files)",
    "-3": "PBS could not start the job and asked for another attempt",
    "-10": "the user does not exist on the node",
    NODE_LOST: "the node was lost",
    "-26": "the job used more virtual memory than it requested",
    "-27": "the job used more memory than it requested; raise mem_mb",
    "-28": "the job used more CPU time than its limit",
    WALLTIME_EXCEEDED: "the job exceeded its walltime; raise runtime",
    "-30": "PBS could not attach the job to its session",
}

Attributes = Mapping[str, str]  # attributes of one job, as qstat -f prints them


class Verdict(Enum):
    """Result of a job so far."""

    RUNNING = "running"  # also queued, held or exiting
    SUCCESS = "success"
    FAILED = "failed"


def parse_qstat(text: str) -> dict[str, dict[str, str]]:
    """Parse the output of `qstat -f`.

    Args:
        text: output of qstat. A continuation line of a long value starts with a tab.

    Returns:
        The attributes of each job, by job id.
    """
    jobs: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    for line in text.replace("\n\t", "").splitlines():
        if line.startswith("Job Id: "):
            attributes = jobs.setdefault(line.removeprefix("Job Id: ").strip(), {})
        elif match := re.match(r" {4}(\S+) = (.*)$", line):
            attributes[match[1]] = match[2]
    return jobs


def parse_unknown_ids(errors: str) -> set[str]:
    """Return the ids of the jobs that PBS does not know, from the error output of qstat."""
    return set(re.findall(r"Unknown Job Id (\S+)", errors))


def verdict(job: Attributes) -> Verdict:
    """Return the verdict on a job; a job without attributes counts as running."""
    if job.get("job_state") not in ENDED_STATES:
        return Verdict.RUNNING
    succeeded = job.get("Exit_status") == "0" and job.get("substate", NORMAL_END) == NORMAL_END
    return Verdict.SUCCESS if succeeded else Verdict.FAILED


def waits_for_stopped_queue(job: Attributes) -> bool:
    """Return True if a job is queued and its queue starts no jobs, as the scheduler's comment says (job_info.cpp)."""
    return job.get("job_state") == "Q" and "Queue not started" in job.get("comment", "")


def failure_reason(job: Attributes, log: str = "") -> str:
    """Return why a job failed and, if the user can change a setting, which one.

    Args:
        job: attributes of the failed job.
        log: end of the job's log. Older versions of PBS report an exceeded walltime only in the log.
    """
    status = job.get("Exit_status")
    if job.get("job_state") == MOVED:
        return "PBS moved the job to another server"
    if "exceeded resource walltime" in job.get("comment", "") or "=>> PBS: job killed: walltime" in log:
        status = WALLTIME_EXCEEDED
    if status in PBS_ERRORS:
        return PBS_ERRORS[status]
    if job.get("substate") == DELETED:
        return "the job was deleted with qdel"
    if status is None:
        return "the job never started, because a job that it depends on failed"
    code = int(status)
    if code > PBS_SIGNAL_OFFSET:
        return f"signal {code - PBS_SIGNAL_OFFSET} from outside killed the job (exit status {code})"
    if code > SHELL_SIGNAL_OFFSET:
        return f"signal {code - SHELL_SIGNAL_OFFSET} killed a command of the job script (exit status {code})"
    return f"exit status {code}"
