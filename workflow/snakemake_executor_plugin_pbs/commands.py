"""The three programs of PBS that are called, each with a time limit and out of reach of the terminal's Ctrl-C."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TypeVar

from snakemake_executor_plugin_pbs.verdicts import read_qstat, read_unknown

BATCH = 100  # jobs in one call of qstat or qdel: one call for each is too much for a PBS server
ANSWER = 60.0  # seconds that qstat and qdel may take
ACCEPT = 120.0  # seconds that qsub may take: a job whose qsub was given up may be queued all the same
TRIES, PAUSE = 3, 5.0  # of qdel, and seconds between them
NO_ANSWER = -1
# Exit statuses of qsub, which are PBS's errors modulo 256 (pbs_error.h of OpenPBS).
LIMITS = (38, 39, 198)  # of jobs of a user, of resources of queued jobs, of jobs in a queue
SHUTTING_DOWN = 212
NO_REPLY = 255  # of the server: it may have accepted the job

Job = TypeVar("Job")


@dataclass(frozen=True)
class Answer:
    """What a program printed; status NO_ANSWER if it was not done in time or could not be started."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Seen:
    """Jobs of which qstat told the attributes, and those that it says are unknown; of others it told nothing."""

    jobs: dict[str, dict[str, str]]
    unknown: set[str]


def run(command: Sequence[str], seconds: float, output: IO[str] | None = None) -> Answer:
    """Run a program to its end, or for so many seconds; `output` takes what it prints, in place of the answer."""
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
        return Answer(NO_ANSWER, "", str(error))
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its children, which hold the pipes
            return Answer(NO_ANSWER, "", f"{command[0]}: no answer in {seconds:.0f} seconds")
    return Answer(process.returncode, out or "", err)


def qsub(arguments: Sequence[str], id_file: IO[str]) -> Answer:
    """Submit a job; its id goes straight into the file."""
    with id_file:
        return run(["qsub", *arguments], ACCEPT, id_file)


def find(log: str) -> str:
    """Id of the job that writes this log; empty if there is none: asked where qsub ended without a clear answer."""
    time.sleep(PAUSE)  # a part of qsub that lives on in the background may still be at work
    jobs = read_qstat(run(["qstat", "-f"], ANSWER).out)
    return next((external for external, job in jobs.items() if job.get("Output_Path", "").endswith(log)), "")


def qstat(ids: Sequence[str]) -> Seen:
    """Ask for jobs, ended ones too (-x). The JSON form of OpenPBS 23.06 has the first job only, so it is text."""
    answer = run(["qstat", "-x", "-f", *ids], ANSWER)
    return Seen(read_qstat(answer.out), read_unknown(answer.err))


def qdel(ids: Sequence[str]) -> str:
    """Delete jobs; returns what PBS said if some may be left. That one has ended, or is unknown, is no fault."""
    for attempt in range(TRIES):
        answer = run(["qdel", *ids], ANSWER)
        left = [line for line in answer.err.splitlines() if line and not _is_gone(line)]
        if answer.status == 0 or (answer.status != NO_ANSWER and not left):
            return ""
        if attempt + 1 < TRIES:
            time.sleep(PAUSE)
    return " ".join(left)


def must_wait(answer: Answer) -> bool:
    """Whether qsub's refusal passes by itself: a limit of jobs, a server that restarts."""
    restarts = answer.status == SHUTTING_DOWN or "cannot connect to server" in answer.err.lower()
    return answer.status in LIMITS or restarts


def batches(jobs: Sequence[Job]) -> list[Sequence[Job]]:
    """The jobs, or their ids, in groups of at most BATCH."""
    return [jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH)]


def _is_gone(line: str) -> bool:
    return "has finished" in line or "Unknown Job Id" in line
