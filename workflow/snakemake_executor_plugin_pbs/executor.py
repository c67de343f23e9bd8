"""From a Snakemake job to a PBS job, and back."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import ApiError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_pbs import commands
from snakemake_executor_plugin_pbs.jobscript import template
from snakemake_executor_plugin_pbs.journal import Entry, Journal, key_of, members_of, read_id
from snakemake_executor_plugin_pbs.leftovers import ROUNDS, left_behind
from snakemake_executor_plugin_pbs.shapes import Request, Shape, choose, walltime
from snakemake_executor_plugin_pbs.verdicts import Verdict, reason, verdict

PROJECT = "ABCI_GROUP"  # environment variable
NOBODY = "none"  # a word, since Snakemake takes an empty value of a profile for the profile's folder
PROGRAMS = ("qsub", "qstat", "qdel")
DEFAULT_RUNTIME = 60  # minutes, of a job without runtime: the walltime that ABCI gives
LONGEST_NAME = 60
LAST_WORDS = 10_000  # bytes of a log's end in which PBS's own line is looked for


@dataclass(frozen=True)
class Submission:
    """A job that waits for its qsub."""

    job: JobExecutorInterface
    entry: Entry
    queue: str | None
    arguments: list[str]


class Executor(RemoteExecutor):
    """Submits, asks, deletes. qsub runs in a thread of its own, so that Ctrl-C finds no job between qsub and us."""

    def __post_init__(self) -> None:
        """Find out what earlier runs of this work directory have left at work.

        Raises:
            ApiError: no PBS here, nobody pays, a shape cannot be read, or what is left is unclear; printed as one line.
        """
        self.jobs: dict[JobExecutorInterface, tuple[str, Entry]] = {}  # at work, with their ids
        self.failures: dict[JobExecutorInterface, str] = {}  # of jobs that have not succeeded since
        self.waiting: list[Submission] = []  # refused for now
        self.full: set[str | None] = set()  # queues that have refused in this round
        self.unknown: Counter[str] = Counter()  # rounds in a row, by id
        self.stopped = threading.Event()
        self.submitting = ThreadPoolExecutor(max_workers=1)
        settings, folder = self.workflow.executor_settings, Path(".snakemake").resolve()
        self.project = _project(settings.project)
        _check_programs()
        if not self.is_default_jobscript:
            raise ApiError("--jobscript: --executor pbs has a job script of its own; give --pbs-prologue")
        self.shapes = [Shape.parse(text) for text in settings.shapes]
        self.logs = (settings.logdir or folder / "pbs_logs").resolve()
        self.logs.mkdir(parents=True, exist_ok=True)
        self.jobscript = template(Path(self.workflow.workdir_init), os.environ["PATH"], settings.prologue)
        self.journal = Journal(folder / "pbs_jobs")
        self.left = left_behind(self.journal, self.workflow)  # of earlier runs

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs; from now on SIGTERM is the same as Ctrl-C, not a request to wait for jobs of hours."""
        _handle(signal.SIGTERM, signal.default_int_handler)
        super().run_jobs(jobs)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job, or take up the one that makes the same outputs from the same inputs and params."""
        request = Request.of(job.resources, job.threads)
        try:
            queue = choose(self.shapes, request, job.resources.get("pbs_queue"))
        except ValueError as error:
            self._fail(SubmittedJobInfo(job), f"not submitted: {error}")
            return
        submission = self._prepare(job, request, queue)
        left = self.left.get(submission.entry.key)
        if left and left.serves(submission.entry, self._is_forced(job)):
            self._follow(job, left.external, left.entry, "was" if left.has_ended else "is still")
            del self.left[left.entry.key]  # last, so that Ctrl-C finds it in one place or both
        else:
            self.submitting.submit(self._submit, submission)

    def _is_forced(self, job: JobExecutorInterface) -> bool:
        return any(self.dag.reason(member).forced for member in members_of(job))

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Ask PBS once for every 100 jobs; yield those that are not known to have ended."""
        self._submit_waiting()
        for batch in commands.batches(active_jobs):
            async with self.status_rate_limiter:
                seen = await asyncio.to_thread(commands.qstat, [str(info.external_jobid) for info in batch])
            for info in batch:
                if self.stopped.is_set() or not self._has_ended(info, seen):
                    yield info

    def handle_job_success(self, job: JobExecutorInterface) -> None:
        """Forget a job; its results are recorded."""
        self.failures.pop(job, None)
        self._forget(job)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Forget a job that failed; Snakemake may submit it again."""
        self._forget(job)

    def cancel(self) -> None:
        """Delete all jobs, those too that an earlier run has left and this one has not yet taken up."""
        self._stop({left.external: left.entry for left in self.left.values() if not left.has_ended})

    def shutdown(self) -> None:
        """End a run, with what went wrong; jobs are left only if it went wrong here, and then they are deleted."""
        self._stop({})
        for job, why in self.failures.items():
            self.logger.error(f"{_name_of(job)}: {why}")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Not used: the list is empty while a status round is under way."""

    async def sleep(self) -> None:
        """Wait for the next status round, or the end."""
        await asyncio.to_thread(self.stopped.wait, self.next_seconds_between_status_checks)

    def _prepare(self, job: JobExecutorInterface, request: Request, queue: str | None) -> Submission:
        """Write the job's script, and what qsub is told."""
        name, resources = _name_of(job), job.resources
        entry = Entry.of(job, self._new_log(job, name))
        script = self.get_jobscript(job)
        self.write_jobscript(job, script)
        select, minutes = request.select(bool(self.shapes)), float(resources.get("runtime") or DEFAULT_RUNTIME)
        arguments = ["-P", self.project] if self.project else []
        arguments += [*self._queue(queue), "-l", f"select={select}", "-l", f"walltime={walltime(minutes)}", "-N", name]
        # -r n: PBS must not restart a lost job behind Snakemake's back; -k oed: the log is written while the job runs.
        arguments += ["-r", "n", "-j", "oe", "-k", "oed", "-o", entry.log]
        return Submission(job, entry, queue, [*arguments, *shlex.split(self.executor_settings.extra or ""), script])

    def _new_log(self, job: JobExecutorInterface, name: str) -> Path:
        """A file that no other job has: PBS would append to it."""
        return self.logs / f"{name}.{key_of(job)[:6]}.{datetime.now():%Y%m%d-%H%M%S}.log"

    def _queue(self, queue: str | None) -> list[str]:
        if reservation := self.executor_settings.reservation:
            return ["-q", reservation, *(["-v", f"RTYPE={queue}"] if queue else [])]
        return ["-q", queue] if queue else []

    def _submit(self, submission: Submission) -> None:
        """In the thread of submissions: see that a job is submitted, waits, or counts as failed."""
        if self.stopped.is_set():
            return
        try:
            if submission.queue in self.full or self._is_in_the_way(submission.entry):
                self.waiting.append(submission)
            else:
                self._qsub(submission)
        except Exception as error:
            self._fail(SubmittedJobInfo(submission.job), f"not submitted: {type(error).__name__}: {error}")

    def _qsub(self, submission: Submission) -> None:
        entry = submission.entry
        answer = commands.qsub(submission.arguments, self.journal.write(entry))
        external = read_id(self.journal.id_file(entry.key))
        if not external and answer.status in (commands.NO_ANSWER, commands.NO_REPLY):
            external = commands.find(entry.log)
            self.journal.id_file(entry.key).write_text(external)
        if external:
            self._follow(submission.job, external, entry, "is")
        else:
            self._refused(submission, answer)

    def _is_in_the_way(self, entry: Entry) -> bool:
        """Delete what is left, makes the same outputs and does not serve; whether it has yet to end."""
        for key, left in list(self.left.items()):
            if not set(left.entry.outputs) & set(entry.outputs):
                continue
            if not left.has_ended:
                if not left.entry.is_deleted:
                    commands.qdel([left.external])
                seen = commands.qstat([left.external])
                gone = left.external in seen.unknown
                if not gone and verdict(seen.jobs.get(left.external, {})) is Verdict.RUNNING:
                    return True
            self.journal.remove(left.entry)
            del self.left[key]
        return False

    def _refused(self, submission: Submission, answer: commands.Answer) -> None:
        """What is refused for now waits for the next status round."""
        self.journal.remove(submission.entry)
        said = f"(exit {answer.status}): {answer.err.strip()}"
        if commands.must_wait(answer):
            self.logger.info(f"Job {submission.job.jobid} waits, and others of its queue: qsub refused it {said}")
            self.full.add(submission.queue)
            self.waiting.append(submission)
        else:
            command = shlex.join(["qsub", *submission.arguments])
            self._fail(SubmittedJobInfo(submission.job), f"qsub refused it {said}\n{command}\n")

    def _submit_waiting(self) -> None:
        again, self.waiting = self.waiting, []
        self.full.clear()
        with suppress(RuntimeError):  # stopped meanwhile
            for submission in again:
                self.submitting.submit(self._submit, submission)

    def _follow(self, job: JobExecutorInterface, external: str, entry: Entry, verb: str) -> None:
        self.jobs[job] = (external, entry)
        self.logger.info(f"Job {job.jobid} {verb} PBS job {external}, log {entry.log}")
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=external, aux={"log": entry.log}))

    def _has_ended(self, info: SubmittedJobInfo, seen: commands.Seen) -> bool:
        """Report a job's end, if that is what PBS says."""
        external = str(info.external_jobid)
        self.unknown[external] = self.unknown[external] + 1 if external in seen.unknown else 0
        attributes = seen.jobs.get(external, {})
        state = verdict(attributes)
        if self.unknown[external] >= ROUNDS:
            self._fail(info, f"PBS has not known it for {ROUNDS} rounds")
        elif state is Verdict.SUCCESS:
            self.report_job_success(info)
        elif state is Verdict.FAILED:
            self._fail(info, reason(attributes, _last_words(Path(info.aux["log"]))))
        else:
            return False
        return True

    def _fail(self, info: SubmittedJobInfo, why: str) -> None:
        """Report a failure, and keep the reason: what Snakemake prints of it is long, and of a group it is nothing."""
        said = f"PBS job {info.external_jobid}: {why}" if info.external_jobid else why
        self.failures[info.job] = said
        self.report_job_error(info, msg=f"{said}. ", aux_logs=[info.aux["log"]] if info.aux else [])

    def _forget(self, job: JobExecutorInterface) -> None:
        if job in self.jobs:
            self.journal.remove(self.jobs.pop(job)[1])

    def _stop(self, left: dict[str, Entry]) -> None:
        with _uninterrupted():
            self.stopped.set()
            self.submitting.shutdown(wait=True, cancel_futures=True)
            self._delete(dict(self.jobs.values()) | left)
            super().shutdown()

    def _delete(self, jobs: dict[str, Entry]) -> None:
        """Delete jobs; the journal keeps them: the next run waits for their end, and for results just before it."""
        if jobs:
            self.logger.info(f"Deleting {len(jobs)} PBS jobs.")
        for batch in commands.batches(list(jobs)):
            if problem := commands.qdel(batch):
                self.logger.error(f"Jobs may be left ({problem}); type: qdel {' '.join(batch)}")
                continue
            for external in batch:
                self.journal.mark_deleted(jobs[external])


def _project(given: str | None) -> str:
    """Who pays; empty if nobody has to.

    Raises:
        ApiError: nobody is named.
    """
    project = given or os.environ.get(PROJECT)
    if not project:
        raise ApiError(
            f"no group or project pays for PBS jobs; type: export {PROJECT}=your-group, or give --pbs-project"
        )
    return "" if project == NOBODY else project


def _check_programs() -> None:
    """Raises ApiError where PBS is not."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        raise ApiError(f"{', '.join(missing)}: not found; --executor pbs runs where PBS's own commands are")


def _name_of(job: JobExecutorInterface) -> str:
    """Rule and wildcards, in the characters and the length that PBS admits."""
    wildcards = () if job.is_group() else job.wildcards
    return re.sub(r"[^A-Za-z0-9_.-]", "-", ".".join([job.name, *map(str, wildcards)]))[:LONGEST_NAME]


def _last_words(log: Path) -> str:
    """The end of a log; empty if there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LAST_WORDS))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Jobs are deleted to the last, however often Ctrl-C is pressed."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [_handle(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            _handle(number, handler)


def _handle(number: signal.Signals, handler: Any) -> Any:
    """Set a signal's handler, which only the main thread can; returns the one before."""
    if threading.current_thread() is not threading.main_thread():
        return signal.getsignal(number)
    return signal.signal(number, handler)
