"""What a Snakemake that died has left: jobs at work, and results that nobody has recorded."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from snakemake_interface_common.exceptions import ApiError
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.workflow import WorkflowExecutorInterface

from snakemake_executor_plugin_pbs import commands
from snakemake_executor_plugin_pbs.journal import Entry, Journal, digest_of, key_of
from snakemake_executor_plugin_pbs.verdicts import Attributes, Verdict, verdict

ROUNDS = 3  # in a row in which PBS does not know a job, until it counts as lost


@dataclass(frozen=True)
class Left:
    """A job of an earlier run that is at work, or has ended well without anyone noticing."""

    external: str
    entry: Entry
    has_ended: bool

    def serves(self, entry: Entry, is_forced: bool) -> bool:
        """Whether its outputs will be, or are, those that a job is asked for now."""
        if self.entry.members != entry.members:
            return False
        return self.entry.is_complete() and not is_forced if self.has_ended else not self.entry.is_deleted


def left_behind(journal: Journal, workflow: WorkflowExecutorInterface) -> dict[str, Left]:
    """Jobs of the journal that are at work, or have succeeded and may be asked for, by key; the others are forgotten.

    A job records no provenance: Snakemake does that when it sees the end. So results that were finished while none was
    there, and are not asked for again, are recorded here; otherwise a later change of params would go unnoticed.

    Raises:
        ApiError: PBS does not tell of a job, or there is a result of other inputs or params than today's.
    """
    noted = journal.read(patience=commands.ACCEPT)
    left: dict[str, Left] = {}
    if not noted:
        return left
    known = _attributes_of(list(noted))
    complete = {key_of(job): job for job in workflow.dag.jobs if job.output and not workflow.dag.needrun(job)}
    for external, entry in noted.items():
        for key in entry.members.keys() & complete.keys():
            _record(complete[key], entry, external, workflow)
        state = verdict(known[external])
        if entry.members.keys() <= complete.keys() or state is Verdict.FAILED:
            journal.remove(entry)
        else:
            left[entry.key] = Left(external, entry, state is Verdict.SUCCESS)
    return left


def _record(job: JobExecutorInterface, entry: Entry, external: str, workflow: WorkflowExecutorInterface) -> None:
    if workflow.persistence.metadata(job.output[0]) is not None:
        return
    if entry.members[key_of(job)] != digest_of(job, within=entry.outputs):
        raise ApiError(
            f"{job.output[0]}: PBS job {external} made it from other inputs or params, while no Snakemake was there; "
            f"delete it, or type: snakemake --forcerun {job.rule.name}"
        )
    workflow.async_run(workflow.persistence.finished(job))


def _attributes_of(ids: Sequence[str]) -> dict[str, Attributes]:
    """What PBS knows of the jobs; an unknown one counts as ended.

    Raises:
        ApiError: it does not tell.
    """
    known: dict[str, Attributes] = {}
    for batch in commands.batches(ids):
        for attempt in range(ROUNDS):
            seen = commands.qstat(batch)
            known |= seen.jobs
            silent = [external for external in batch if external not in known]
            if not silent:
                break
            if attempt + 1 < ROUNDS:
                time.sleep(commands.PAUSE)
        if not set(silent) <= seen.unknown:
            raise ApiError(
                f"qstat does not tell whether jobs of the last run are at work: {' '.join(silent)}; try again"
            )
        known |= {external: {"job_state": "F"} for external in silent}
    return known
