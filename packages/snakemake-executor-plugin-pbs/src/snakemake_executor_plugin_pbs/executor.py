"""The executor: submit Snakemake jobs to PBS, query their state and delete them.

This module may import every other module of the package except the package itself.
"""

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
from snakemake_executor_plugin_pbs.jobscript import jobscript_template
from snakemake_executor_plugin_pbs.journal import Entry, Journal, members_of, outputs_key, read_job_id
from snakemake_executor_plugin_pbs.leftovers import QSTAT_ROUNDS, find_leftovers
from snakemake_executor_plugin_pbs.shapes import Request, Shape, choose_queue, format_walltime
from snakemake_executor_plugin_pbs.verdicts import Verdict, failure_reason, verdict

PROJECT_VARIABLE = "ABCI_GROUP"  # environment variable
NO_PROJECT = "none"  # a word, because Snakemake replaces an empty value in a profile by the profile's folder
PROGRAMS = ("qsub", "qstat", "qdel")
DEFAULT_RUNTIME = 60  # minutes, for a rule without runtime; also the default walltime of ABCI
MAX_NAME_LENGTH = 60  # characters of a job name
LOG_TAIL_SIZE = 10_000  # bytes at the end of a log in which PBS reports an exceeded walltime


@dataclass(frozen=True)
class Submission:
    """A job that is ready for qsub.

    Attributes:
        job: the Snakemake job.
        entry: its entry in the journal.
        queue: the chosen queue, or None for PBS's default.
        arguments: arguments of qsub.
    """

    job: JobExecutorInterface
    entry: Entry
    queue: str | None
    arguments: list[str]


class Executor(RemoteExecutor):
    """Snakemake executor for PBS.

    qsub runs in a separate thread. Ctrl-C interrupts only the main thread, so the id of every submitted job is stored
    before the jobs are deleted.
    """

    def __post_init__(self) -> None:
        """Check the settings and find the leftover jobs of earlier runs in this work directory.

        Raises:
            ApiError: PBS is not installed, no project is set, a setting is invalid, or the state of a leftover job is
                unknown. Snakemake prints the error as one line.
        """
        self.submitted: dict[JobExecutorInterface, tuple[str, Entry]] = {}  # job id and journal entry
        self.failure_reasons: dict[JobExecutorInterface, str] = {}  # of jobs whose last attempt failed
        self.postponed: list[Submission] = []  # tried again in the next status round
        self.full_queues: set[str | None] = set()  # queues that refused a job since the last status round
        self.unknown_rounds: Counter[str] = Counter()  # consecutive rounds in which PBS did not know the job, by job id
        self.stopped = threading.Event()
        self.qsub_thread = ThreadPoolExecutor(max_workers=1)
        settings, folder = self.workflow.executor_settings, Path(".snakemake").resolve()
        project = settings.project or os.environ.get(PROJECT_VARIABLE)
        if not project:
            raise ApiError(
                "--pbs-project: no group or project pays for PBS jobs; "
                f"type: export {PROJECT_VARIABLE}=your-group, or give --pbs-project"
            )
        self.project = "" if project == NO_PROJECT else project
        if missing := [program for program in PROGRAMS if not shutil.which(program)]:
            raise ApiError(f"PATH: {', '.join(missing)} not found; run --executor pbs on a host with the PBS commands")
        if not self.is_default_jobscript:
            raise ApiError("--jobscript: --executor pbs does not accept a job script; use --pbs-prologue instead")
        self.shapes = [Shape.parse(text) for text in settings.shapes]
        self.logs = (settings.logdir or folder / "pbs_logs").resolve()
        self.logs.mkdir(parents=True, exist_ok=True)
        self.jobscript = jobscript_template(Path(self.workflow.workdir_init), os.environ["PATH"], settings.prologue)
        self.journal = Journal(folder / "pbs_jobs")
        self.leftovers = find_leftovers(self.journal, self.workflow)

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs.

        From the first call on, SIGTERM has the same effect as Ctrl-C. Snakemake would otherwise wait for running jobs,
        which can take hours. A handler of the workflow itself stays.
        """
        if signal.getsignal(signal.SIGTERM) == self.workflow.scheduler.exit_gracefully:
            _set_signal_handler(signal.SIGTERM, signal.default_int_handler)
        super().run_jobs(jobs)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job, or follow the leftover job that makes the same outputs from the same inputs and params."""
        request = Request.from_resources(job.resources, job.threads)
        try:
            queue = choose_queue(self.shapes, request, job.resources.get("pbs_queue"))
        except ValueError as error:
            self._fail(SubmittedJobInfo(job), f"not submitted: {error}")
            return
        submission = self._prepare(job, request, queue)
        leftover = self.leftovers.get(submission.entry.key)
        is_forced = leftover is not None and any(self.dag.reason(member).forced for member in members_of(job))
        if leftover and leftover.can_replace(submission.entry, is_forced):
            state = "has finished" if leftover.has_succeeded else "is queued or running"
            self._follow(job, leftover.job_id, leftover.entry, f"of an earlier run {state}")
            # Only now, so that an interrupt between these lines finds the job in at least one of the two dictionaries.
            del self.leftovers[leftover.entry.key]
        else:
            self.qsub_thread.submit(self._submit, submission)

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Submit postponed jobs, query all active jobs and report those that have ended.

        Yields:
            Each job that has not ended, as far as PBS reports.
        """
        postponed, self.postponed = self.postponed, []
        self.full_queues.clear()
        with suppress(RuntimeError):  # the thread was shut down in the meantime
            for submission in postponed:
                self.qsub_thread.submit(self._submit, submission)
        for batch in commands.batches(active_jobs):
            async with self.status_rate_limiter:
                result = await asyncio.to_thread(commands.qstat, [str(info.external_jobid) for info in batch])
            for info in batch:
                if self.stopped.is_set() or not self._report_if_ended(info, result):
                    yield info

    def handle_job_success(self, job: JobExecutorInterface) -> None:
        """Forget a job whose results Snakemake has recorded."""
        self.failure_reasons.pop(job, None)
        self._forget(job)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Forget a job that failed; Snakemake may submit it again."""
        self._forget(job)

    def cancel(self) -> None:
        """Delete all jobs of this run, and leftover jobs of earlier runs that are queued or running."""
        self._stop({left.job_id: left.entry for left in self.leftovers.values() if not left.has_succeeded})

    def shutdown(self) -> None:
        """End the run and print why jobs failed; jobs that are still active after an internal error are deleted."""
        self._stop({})
        for job, reason in self.failure_reasons.items():
            self.logger.error(f"{_job_name(job)}: {reason}")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Do nothing. `cancel` deletes the jobs, because this list is empty during a status round."""

    async def sleep(self) -> None:
        """Wait until the next status round is due or the run stops."""
        await asyncio.to_thread(self.stopped.wait, self.next_seconds_between_status_checks)

    def _prepare(self, job: JobExecutorInterface, request: Request, queue: str | None) -> Submission:
        """Write the job script and put together the arguments of qsub."""
        name, settings = _job_name(job), self.executor_settings
        # Every attempt needs a new log, because PBS appends to an existing file.
        log = self.logs / f"{name}.{outputs_key(job)[:6]}.{datetime.now():%Y%m%d-%H%M%S}.log"
        entry = Entry.of(job, log)
        script = self.get_jobscript(job)
        self.write_jobscript(job, script)
        arguments = ["-P", self.project] if self.project else []
        if settings.reservation:
            arguments += ["-q", settings.reservation, *(["-v", f"RTYPE={queue}"] if queue else [])]
        elif queue:
            arguments += ["-q", queue]
        walltime = format_walltime(float(job.resources.get("runtime") or DEFAULT_RUNTIME))
        arguments += ["-l", f"select={request.select(bool(self.shapes))}", "-l", f"walltime={walltime}", "-N", name]
        # -r n: PBS must not rerun a lost job, because Snakemake does that. -k oed: PBS writes the log during the job.
        arguments += ["-r", "n", "-j", "oe", "-k", "oed", "-o", entry.log]
        return Submission(job, entry, queue, [*arguments, *shlex.split(settings.extra or ""), script])

    def _submit(self, submission: Submission) -> None:
        """Submit a job, postpone it or report it as failed. Runs in the qsub thread."""
        if self.stopped.is_set():
            return
        try:
            if submission.queue in self.full_queues or self._is_blocked(submission.entry):
                self.postponed.append(submission)
            else:
                self._qsub(submission)
        except Exception as error:
            self._fail(SubmittedJobInfo(submission.job), f"not submitted: {type(error).__name__}: {error}")

    def _is_blocked(self, entry: Entry) -> bool:
        """Delete leftover jobs that write outputs of `entry`; return True while one of them has not ended."""
        for key, leftover in list(self.leftovers.items()):
            if not set(leftover.entry.outputs) & set(entry.outputs):
                continue
            if not leftover.has_succeeded:
                if not leftover.entry.is_deleted:
                    commands.qdel([leftover.job_id])
                result = commands.qstat([leftover.job_id])
                is_unknown = leftover.job_id in result.unknown_ids
                if not is_unknown and verdict(result.jobs.get(leftover.job_id, {})) is Verdict.RUNNING:
                    return True
            self.journal.remove(leftover.entry)
            del self.leftovers[key]
        return False

    def _qsub(self, submission: Submission) -> None:
        """Call qsub, and follow, postpone or fail the job according to the answer."""
        job, entry = submission.job, submission.entry
        result = commands.qsub(submission.arguments, self.journal.write(entry))
        job_id = read_job_id(self.journal.id_file(entry.key))
        if not job_id and result.status in (commands.NO_ANSWER, commands.NO_REPLY):
            job_id = commands.find_job_by_log(entry.log)
            self.journal.id_file(entry.key).write_text(job_id)
        if job_id:
            self._follow(job, job_id, entry, "submitted")
            return
        self.journal.remove(entry)
        refusal = f"qsub refused the job (exit status {result.status}): {result.err.strip()}"
        if commands.is_temporary_refusal(result):
            self.logger.info(f"Job {job.jobid} and other jobs of its queue wait for the next status round: {refusal}")
            self.full_queues.add(submission.queue)
            self.postponed.append(submission)
        else:
            self._fail(SubmittedJobInfo(job), f"{refusal}\n{shlex.join(['qsub', *submission.arguments])}\n")

    def _follow(self, job: JobExecutorInterface, job_id: str, entry: Entry, state: str) -> None:
        """Include a PBS job in the status rounds, and print its state ("submitted", for example) and its log."""
        self.submitted[job] = (job_id, entry)
        self.logger.info(f"Job {job.jobid}: PBS job {job_id} {state}, log {entry.log}")
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=job_id, aux={"log": entry.log}))

    def _report_if_ended(self, info: SubmittedJobInfo, result: commands.QstatResult) -> bool:
        """Report the success or failure of a job to Snakemake; return False if the job has not ended."""
        job_id = str(info.external_jobid)
        self.unknown_rounds[job_id] = self.unknown_rounds[job_id] + 1 if job_id in result.unknown_ids else 0
        attributes = result.jobs.get(job_id, {})
        state = verdict(attributes)
        if self.unknown_rounds[job_id] >= QSTAT_ROUNDS:
            self._fail(info, f"PBS did not know the job in {QSTAT_ROUNDS} consecutive status rounds")
        elif state is Verdict.SUCCESS:
            self.report_job_success(info)
        elif state is Verdict.FAILED:
            self._fail(info, failure_reason(attributes, _read_log_tail(Path(info.aux["log"]))))
        else:
            return False
        return True

    def _fail(self, info: SubmittedJobInfo, reason: str) -> None:
        """Report a failure to Snakemake and keep the reason for the end of the run.

        Snakemake's own message about a failed job is long, and it has no message about a failed group job.
        """
        message = f"PBS job {info.external_jobid}: {reason}" if info.external_jobid else reason
        self.failure_reasons[info.job] = message
        self.report_job_error(info, msg=f"{message}. ", aux_logs=[info.aux["log"]] if info.aux else [])

    def _forget(self, job: JobExecutorInterface) -> None:
        if job in self.submitted:
            self.journal.remove(self.submitted.pop(job)[1])

    def _stop(self, leftovers: dict[str, Entry]) -> None:
        """Delete the jobs of this run and the given leftover jobs (entries by job id), and stop the status rounds.

        The jobs stay in the journal. A deleted job can run for some more seconds, or can have succeeded just before.
        The next run handles both cases.
        """
        with _ignore_interrupts():
            self.stopped.set()
            self.qsub_thread.shutdown(wait=True, cancel_futures=True)
            jobs = dict(self.submitted.values()) | leftovers
            if jobs:
                self.logger.info(f"Deleting {len(jobs)} PBS jobs.")
            for batch in commands.batches(list(jobs)):
                if errors := commands.qdel(batch):
                    self.logger.error(f"qdel: some jobs may still run ({errors}); type: qdel {' '.join(batch)}")
                    continue
                for job_id in batch:
                    self.journal.mark_deleted(jobs[job_id])
            super().shutdown()


def _job_name(job: JobExecutorInterface) -> str:
    """Return the rule and the wildcards of a job, in characters and a length that PBS accepts as a job name."""
    wildcards = () if job.is_group() else job.wildcards
    return re.sub(r"[^A-Za-z0-9_.-]", "-", ".".join([job.name, *map(str, wildcards)]))[:MAX_NAME_LENGTH]


def _read_log_tail(log: Path) -> str:
    """Return the last LOG_TAIL_SIZE bytes of a log as text, or "" if it cannot be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LOG_TAIL_SIZE))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM, so that a second Ctrl-C does not stop the deletion of jobs."""
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = [_set_signal_handler(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous, strict=True):
            _set_signal_handler(number, handler)


def _set_signal_handler(number: signal.Signals, handler: Any) -> Any:
    """Set the handler of a signal and return the previous one; outside the main thread, change nothing."""
    if threading.current_thread() is not threading.main_thread():
        return signal.getsignal(number)
    return signal.signal(number, handler)
