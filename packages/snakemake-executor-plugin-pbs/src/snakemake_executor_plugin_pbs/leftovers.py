"""Leftover jobs: PBS jobs that an earlier run of Snakemake submitted and whose end that run did not see.

A run that was killed leaves its jobs in the queue or running. This module queries their state and records finished
results. It imports `commands`, `journal` and `verdicts`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake_interface_common.exceptions import ApiError
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.workflow import WorkflowExecutorInterface

from snakemake_executor_plugin_pbs import commands
from snakemake_executor_plugin_pbs.journal import Entry, Journal, outputs_key, provenance_digest
from snakemake_executor_plugin_pbs.verdicts import Attributes, Verdict, verdict

QSTAT_ROUNDS = 3  # consecutive calls of qstat in which PBS does not know a job before the job counts as lost


@dataclass(frozen=True)
class Leftover:
    """A job of an earlier run that is queued or running, or has succeeded.

    Attributes:
        job_id: id of the PBS job.
        entry: its entry in the journal.
        has_succeeded: True if the job has ended; False if it is queued or running.
    """

    job_id: str
    entry: Entry
    has_succeeded: bool

    def can_replace(self, entry: Entry, is_forced: bool) -> bool:
        """Return True if this job writes, or has written, the outputs that a new job would write.

        Args:
            entry: the new job.
            is_forced: True if the user asked to run the new job even though its outputs exist.
        """
        if self.entry.members != entry.members:
            return False
        if self.has_succeeded:
            return not is_forced and all(Path(output).exists() for output in self.entry.outputs)
        return not self.entry.is_deleted


def find_leftovers(journal: Journal, workflow: WorkflowExecutorInterface) -> dict[str, Leftover]:
    """Find the leftover jobs of a work directory and remove the other jobs from its journal.

    Snakemake records the provenance of a result (code, inputs, params) when it sees the end of the job. If a job ended
    while no Snakemake was running and its outputs are up to date, this function records the provenance instead.
    Otherwise a later change of params would not trigger a rerun.

    Returns:
        Jobs that are queued or running, and jobs that have succeeded but whose outputs are not all up to date in this
        run's DAG, by the key of their entry.

    Raises:
        ApiError: PBS does not report the state of a job, or a result was made from other inputs or params.
    """
    entries = _identify(journal)
    leftovers: dict[str, Leftover] = {}
    if not entries:
        return leftovers
    attributes = _query_jobs(list(entries))
    up_to_date = {outputs_key(job): job for job in workflow.dag.jobs if job.output and not workflow.dag.needrun(job)}
    for job_id, entry in entries.items():
        for key in entry.members.keys() & up_to_date.keys():
            _record_provenance(up_to_date[key], entry, job_id, workflow)
        state = verdict(attributes[job_id])
        if entry.members.keys() <= up_to_date.keys() or state is Verdict.FAILED:
            journal.remove(entry)
        else:
            leftovers[entry.key] = Leftover(job_id, entry, state is Verdict.SUCCESS)
    return leftovers


def _identify(journal: Journal) -> dict[str, Entry]:
    """Return the entries of the journal by job id; an entry whose job PBS never accepted is removed.

    If the host died before qsub wrote the id of an accepted job, the name of its log identifies the job.

    Raises:
        ApiError: qstat does not answer, although a job has to be identified.
    """
    entries = journal.read(timeout=commands.QSUB_TIMEOUT)
    unidentified = {Path(entry.log).name: entry for job_id, entry in entries if not job_id}
    try:
        ids = commands.find_jobs_by_log(unidentified) if unidentified else {}
    except commands.NoAnswerError as error:
        raise ApiError(
            f"qstat: cannot tell whether PBS accepted {len(unidentified)} jobs of an earlier run ({error}); "
            "try again when the PBS server answers"
        ) from None
    for name, entry in unidentified.items():
        if name in ids:
            journal.write_id(entry, ids[name])
        else:
            journal.remove(entry)
    return {job_id: entry for job_id, entry in entries if job_id} | {ids[name]: unidentified[name] for name in ids}


def _record_provenance(
    job: JobExecutorInterface, entry: Entry, job_id: str, workflow: WorkflowExecutorInterface
) -> None:
    """Record the provenance of the job's outputs unless Snakemake has recorded it already."""
    if workflow.persistence.metadata(job.output[0]) is not None:
        return
    if entry.members[outputs_key(job)] != provenance_digest(job, within=entry.outputs):
        raise ApiError(
            f"{job.output[0]}: PBS job {job_id} of an earlier run made this file from other inputs or params; "
            f"delete the file, or type: snakemake --forcerun {job.rule.name}"
        )
    workflow.async_run(workflow.persistence.finished(job))


def _query_jobs(job_ids: Sequence[str]) -> dict[str, Attributes]:
    """Return the attributes of each job, by job id; a job that PBS does not know counts as ended.

    Raises:
        ApiError: qstat does not report the state of a job in QSTAT_ROUNDS calls.
    """
    attributes: dict[str, Attributes] = {}
    for batch in commands.batches(job_ids):
        for attempt in range(QSTAT_ROUNDS):
            result = commands.qstat(batch)
            attributes |= result.jobs
            missing = [job_id for job_id in batch if job_id not in attributes]
            if not missing:
                break
            if attempt + 1 < QSTAT_ROUNDS:
                time.sleep(commands.RETRY_DELAY)
        if not set(missing) <= result.unknown_ids:
            raise ApiError(
                f"qstat: no state reported for jobs of an earlier run ({' '.join(missing)}); "
                "try again when the PBS server answers"
            )
        attributes |= {job_id: {"job_state": "F"} for job_id in missing}
    return attributes
