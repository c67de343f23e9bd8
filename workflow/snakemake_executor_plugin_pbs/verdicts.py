"""What PBS says of a job, and what it means.

Measured on OpenPBS 23.06 as an ordinary user. An exit status alone does not tell: a job deleted while it was queued has
none, one that goes back into the queue after its node was lost has an old one, and one deleted while it ran may have 0.
"""

import re
from collections.abc import Mapping
from enum import Enum

MOVED = "M"
ENDED = ("F", "X", MOVED)  # finished, expired (of an array), at another server
NORMAL_END = "92"  # substate of a job that ended by itself, without an error
DELETED = "91"
WALLTIME = "-29"
LOST_NODE = "-20"
SIGNALLED = 256  # added by PBS to a signal that ended a job's session; a shell adds 128 to one that ended a command
OF_SERVER = {  # exit statuses below 0, names of OpenPBS's job.h
    "-1": "PBS could not start it (before its files were there)",
    "-2": "PBS could not start it (after its files were there)",
    "-3": "PBS could not start it and was to try again",
    "-10": "the user is not known on the node",
    LOST_NODE: "its node was lost",
    "-26": "it took more virtual memory than it had asked for",
    "-27": "it took more memory than it had asked for: raise mem_mb",
    "-28": "it took more CPU time than it may",
    WALLTIME: "walltime exceeded: raise runtime",
    "-30": "PBS could not join it to its session",
}

Attributes = Mapping[str, str]


class Verdict(Enum):
    """State of a job, as far as Snakemake is concerned."""

    RUNNING = "running"  # or queued, held, ending
    SUCCESS = "success"
    FAILED = "failed"


def read_qstat(text: str) -> dict[str, dict[str, str]]:
    """Attributes of each job in the text of `qstat -f`, by job id; long values go on in lines that begin with a tab."""
    jobs: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    for line in text.replace("\n\t", "").splitlines():
        if line.startswith("Job Id: "):
            attributes = jobs.setdefault(line.removeprefix("Job Id: ").strip(), {})
        elif found := re.match(r" {4}(\S+) = (.*)$", line):
            attributes[found[1]] = found[2]
    return jobs


def read_unknown(text: str) -> set[str]:
    """Ids of the jobs of which qstat says that there is no such."""
    return set(re.findall(r"Unknown Job Id (\S+)", text))


def verdict(job: Attributes) -> Verdict:
    """Whether a job has ended, and well."""
    if job.get("job_state") not in ENDED:
        return Verdict.RUNNING
    good = job.get("Exit_status") == "0" and job.get("substate", NORMAL_END) == NORMAL_END
    return Verdict.SUCCESS if good else Verdict.FAILED


def reason(job: Attributes, log: str = "") -> str:
    """Why a job failed, and what to do.

    Args:
        job: what qstat said.
        log: what the job printed: older versions of PBS give walltime no exit status of its own.
    """
    status = job.get("Exit_status")
    if job.get("job_state") == MOVED:
        return "PBS moved it to another server"
    if "exceeded resource walltime" in job.get("comment", "") or re.search(r"=>> PBS: job killed: walltime", log):
        status = WALLTIME
    if status in OF_SERVER:
        return OF_SERVER[status]
    if job.get("substate") == DELETED:
        return "deleted by qdel"
    if status is None:
        return "never started: a job that it depends on failed"
    return _reason_of_exit(int(status))


def _reason_of_exit(status: int) -> str:
    if status > SIGNALLED:
        return f"killed from outside by signal {status - SIGNALLED} (exit status {status})"
    if status > 128:
        return f"its script was killed by signal {status - 128} (exit status {status})"
    return f"exit status {status}"
