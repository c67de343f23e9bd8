"""The executor: submit Snakemake jobs to PBS, query their state and delete them.

This module may import every other module of the package except the package itself.
"""

import asyncio
import os
import secrets
import shutil
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import ApiError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_pbs import commands
from snakemake_executor_plugin_pbs.jobscript import jobscript_template
from snakemake_executor_plugin_pbs.journal import Entry, Journal, members_of, read_job_id
from snakemake_executor_plugin_pbs.leftovers import QSTAT_ROUNDS, Leftover, find_leftovers
from snakemake_executor_plugin_pbs.refusals import Refusal, message, refusal
from snakemake_executor_plugin_pbs.shapes import Request, Shape, choose_queue
from snakemake_executor_plugin_pbs.submission import Options, Submission, job_name, printable_path
from snakemake_executor_plugin_pbs.verdicts import (
    HELD,
    Attributes,
    Verdict,
    failure_reason,
    verdict,
    waits_for_stopped_queue,
)
from snakemake_executor_plugin_pbs.waits import Waits

PROGRAMS = ("qsub", "qstat", "qdel")
LOG_TAIL_SIZE = 10_000  # bytes at the end of a log in which PBS reports an exceeded walltime
NAMED = 3  # jobs that a line about many jobs names
# Snakemake gives the retries of preemptible rules precedence over the retries that a rule sets itself. The Snakemake
# within a PBS job must not retry: the run that submitted the job does that, and counts the attempts.
NO_RETRIES = "--preemptible-rules --preemptible-retries 0"


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
        self.refusals: set[str] = set()  # reasons for which jobs were refused for good, each printed once
        self.refused: set[JobExecutorInterface] = set()  # jobs that were refused for good
        self.has_submitted = False  # True as soon as PBS has accepted a job
        self.postponed: list[Submission] = []  # tried again in the next status round
        self.full_queues: set[str | None] = set()  # queues that refused a job since the last status round
        self.deleted_leftovers: set[str] = set()  # ids of the leftover jobs for which qdel succeeded
        self.waits = Waits(self.logger.info)
        self.unknown_rounds: Counter[str] = Counter()  # consecutive rounds in which PBS did not know the job, by job id
        self.stopped = threading.Event()
        self.qsub_thread = ThreadPoolExecutor(max_workers=1)
        settings, folder = self.workflow.executor_settings, Path(".snakemake").absolute()
        self.options = Options.from_settings(settings)
        if missing := [program for program in PROGRAMS if not shutil.which(program)]:
            raise ApiError(f"PATH: {', '.join(missing)} not found; run --executor pbs on a host with the PBS commands")
        if not self.is_default_jobscript:
            raise ApiError("--jobscript: --executor pbs does not accept a job script; use --pbs-prologue instead")
        self.shapes = [Shape.parse(text) for text in settings.shapes]
        self.logs = (settings.logdir or folder / "pbs_logs").absolute()
        self.logs.mkdir(parents=True, exist_ok=True)
        printable_path(self.logs)
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
            self._refuse(job, f"not submitted: {error}")
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
            if result.error:
                self.waits.begin("qstat", "qstat", f"qstat fails, and jobs go on ({result.error}); it is called again")
            else:
                self.waits.end("qstat", "qstat", "qstat answers again")
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
        jobs_by_reason: dict[str, list[str]] = {}
        for job, reason in self.failure_reasons.items():
            jobs_by_reason.setdefault(reason, []).append(job_name(job))
        for reason, names in jobs_by_reason.items():
            if reason in self.refusals and not self.has_submitted:
                continue  # printed a moment ago, and nothing else happened
            others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            self.logger.error(f"{', '.join(names[:NAMED])}{others}: {reason}")

    def print_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
        """Print why a job failed; the reason is the last line, below the logs that Snakemake may print."""
        job = job_info.job
        if job not in self.refused:
            super().print_job_error(job_info, msg=msg, **kwargs)
            attempt = f"attempt {job.attempt} of {job.restart_times + 1}"
            self.logger.error(f"Job {job.jobid} ({job_name(job)}), {attempt}: {self.failure_reasons[job]}")

    def additional_general_args(self) -> str:
        """Return arguments of the Snakemake that runs within a PBS job."""
        return NO_RETRIES

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Do nothing. `cancel` deletes the jobs, because this list is empty during a status round."""

    async def sleep(self) -> None:
        """Wait until the next status round is due or the run stops."""
        await asyncio.to_thread(self.stopped.wait, self.next_seconds_between_status_checks)

    def _prepare(self, job: JobExecutorInterface, request: Request, queue: str | None) -> Submission:
        """Write the job script and put together the arguments of qsub."""
        # Every attempt needs a new log, because PBS appends to an existing file. The name also identifies the job.
        log = self.logs / f"{job_name(job)}.{datetime.now():%Y%m%d-%H%M%S}.{secrets.token_hex(4)}.log"
        script = self.get_jobscript(job)
        self.write_jobscript(job, script)
        arguments = self.options.arguments_of_qsub(job, request.select(bool(self.shapes)), queue, log)
        return Submission(job, Entry.of(job, log), queue, [*arguments, script])

    def _submit(self, submission: Submission) -> None:
        """Submit a job, postpone it or report it as failed. Runs in the qsub thread."""
        if self.stopped.is_set():
            return
        try:
            if submission.queue in self.full_queues:
                self.waits.join(("qsub", submission.queue), submission.job)
                self.postponed.append(submission)
            elif self._is_blocked(submission):
                self.postponed.append(submission)
            else:
                self._qsub(submission)
        except Exception as error:
            self._fail(SubmittedJobInfo(submission.job), f"not submitted: {type(error).__name__}: {error}")

    def _is_blocked(self, submission: Submission) -> bool:
        """Delete leftover jobs that write outputs of a new job; return True while one of them has not ended."""
        outputs = set(submission.entry.outputs)
        for key, leftover in list(self.leftovers.items()):
            if not outputs.isdisjoint(leftover.entry.outputs):
                if not leftover.has_succeeded and not self._has_ended(leftover, submission.job):
                    return True
                self.journal.remove(leftover.entry)
                del self.leftovers[key]
        return False

    def _has_ended(self, leftover: Leftover, job: JobExecutorInterface) -> bool:
        """Delete a leftover job, and return True if PBS says that it has ended; `job` waits for its end."""
        job_id, action = leftover.job_id, "was deleted"
        if not leftover.entry.is_deleted and job_id not in self.deleted_leftovers:
            remaining, reason = commands.qdel([job_id])
            if remaining:
                action = f"cannot be deleted ({reason})"
            else:
                self.deleted_leftovers.add(job_id)
                self.journal.mark_deleted(leftover.entry)
        result = commands.qstat([job_id])
        attributes = result.jobs.get(job_id, {})
        if job_id in result.unknown_ids or verdict(attributes) is not Verdict.RUNNING:
            self.waits.end(job_id, job, f"PBS job {job_id} of an earlier run has ended")
            return True
        self.waits.begin(
            job_id,
            job,
            f"Job {job.jobid} waits for the end of PBS job {job_id} of an earlier run, which writes the same files and "
            f"{action}; its state is {attributes.get('job_state', 'unknown')}; if its node is down, type: "
            f"qdel -W force {job_id}",
        )
        return False

    def _qsub(self, submission: Submission) -> None:
        """Call qsub, and follow, postpone or fail the job according to the answer."""
        job, entry = submission.job, submission.entry
        result = commands.qsub(submission.arguments, self.journal.write(entry))
        job_id = read_job_id(self.journal.id_file(entry.key))
        if not job_id and result.status in (commands.NO_ANSWER, commands.NO_REPLY):
            try:
                job_id = commands.find_jobs_by_log([Path(entry.log).name]).get(Path(entry.log).name, "")
            except commands.NoAnswerError as error:  # the entry stays in the journal, so the next run can find the job
                self._refuse(job, f"qsub and qstat do not answer ({error}); PBS may have accepted the job; start again")
                return
            self.journal.write_id(entry, job_id)
        if job_id:
            self._end_wait(submission)
            self._follow(job, job_id, entry, "submitted")
            return
        self.journal.remove(entry)
        self._handle_refusal(submission, result)

    def _handle_refusal(self, submission: Submission, result: commands.CommandResult) -> None:
        """Postpone or fail a job that qsub refused."""
        job, queue = submission.job, submission.queue
        reason = f"qsub refused the job (exit status {result.status}): {message(result.err)}"
        match refusal(result.status, result.err):
            case Refusal.WAIT:
                self.full_queues.add(queue)
                self.postponed.append(submission)
                of_queue = f" for queue {queue}" if queue else ""
                self.waits.begin(("qsub", queue), job, f"Job {job.jobid} and later jobs{of_queue} wait: {reason}")
            case Refusal.FINAL:
                self._end_wait(submission)
                self._refuse(job, reason)
            case Refusal.FAULT:
                self._end_wait(submission)
                self._fail(SubmittedJobInfo(job), reason)

    def _end_wait(self, submission: Submission) -> None:
        """Note that a job no longer waits for its queue."""
        of_queue = f" of queue {submission.queue}" if submission.queue else ""
        line = f"qsub accepts jobs again; no job{of_queue} waits to be submitted"
        self.waits.end(("qsub", submission.queue), submission.job, line)

    def _follow(self, job: JobExecutorInterface, job_id: str, entry: Entry, state: str) -> None:
        """Include a PBS job in the status rounds, and print its state ("submitted", for example) and its log."""
        self.submitted[job], self.has_submitted = (job_id, entry), True
        self.logger.info(f"Job {job.jobid}: PBS job {job_id} {state}, log {entry.log}")
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=job_id, aux={"log": entry.log}))

    def _report_if_ended(self, info: SubmittedJobInfo, result: commands.QstatResult) -> bool:
        """Report the success or failure of a job to Snakemake; return False if the job has not ended."""
        job_id = str(info.external_jobid)
        self.unknown_rounds[job_id] = self.unknown_rounds[job_id] + 1 if job_id in result.unknown_ids else 0
        attributes = result.jobs.get(job_id, {})
        state = verdict(attributes)
        self._print_waits(info, attributes)
        if self.unknown_rounds[job_id] >= QSTAT_ROUNDS:
            self._fail(info, f"PBS did not know the job in {QSTAT_ROUNDS} consecutive status rounds")
        elif state is Verdict.SUCCESS:
            self.report_job_success(info)
        elif state is Verdict.FAILED:
            self._fail(info, failure_reason(attributes, _read_log_tail(Path(info.aux["log"]))))
        else:
            return False
        return True

    def _print_waits(self, info: SubmittedJobInfo, attributes: Attributes) -> None:
        """Print once that a job is held or that its queue is stopped, and once that it is not any more."""
        if not attributes:
            return
        job_id, job, queue = str(info.external_jobid), info.job.jobid, attributes.get("queue", "")
        if attributes.get("job_state") == HELD:
            line = f"Job {job}: PBS job {job_id} is held and does not start; to release it, type: qrls {job_id}"
            self.waits.begin(("held", job_id), job_id, line)
        else:
            self.waits.end(("held", job_id), job_id, f"Job {job}: PBS job {job_id} is no longer held")
        if waits_for_stopped_queue(attributes):
            line = f"Job {job} and later jobs wait: queue {queue} is stopped, and its administrators can start it again"
            self.waits.begin(("stopped", queue), job_id, line)
        else:
            self.waits.end(("stopped", queue), job_id, f"no job waits for the stopped queue {queue} any more")

    def _fail(self, info: SubmittedJobInfo, reason: str) -> None:
        """Report a failure to Snakemake and keep the reason for the end of the run.

        Snakemake's own message about a failed job is long, and it has no message about a failed group job.
        """
        text = f"PBS job {info.external_jobid}: {reason}" if info.external_jobid else reason
        self.failure_reasons[info.job] = text
        self.report_job_error(info, msg=f"{text}. ", aux_logs=[info.aux["log"]] if info.aux else [])

    def _refuse(self, job: JobExecutorInterface, reason: str) -> None:
        """Report a failure that no retry can mend. Each reason is printed once, whatever the number of jobs."""
        if reason not in self.refusals:
            self.refusals.add(reason)
            self.logger.error(f"Job {job.jobid} ({job_name(job)}): {reason}")
        self.refused.add(job)
        job.attempt = job.restart_times + 1  # Snakemake submits a job again only if it has attempts left
        self._fail(SubmittedJobInfo(job), reason)

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
                remaining, reason = commands.qdel(batch)
                if remaining:
                    number, ids = len(remaining), " ".join(remaining)
                    self.logger.error(f"qdel: {number} jobs may still run ({reason}); type: qdel {ids}")
                for job_id in set(batch) - set(remaining):
                    self.journal.mark_deleted(jobs[job_id])
            super().shutdown()


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
