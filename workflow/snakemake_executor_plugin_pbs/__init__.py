"""Snakemake executor for PBS Professional and OpenPBS: `snakemake --executor pbs`.

One qstat asks for up to 100 jobs, and may fail; Ctrl-C and SIGTERM delete every job of the run; a Snakemake that was
killed finds the jobs that it left when it is started again.

A rule's resources: `gpu`, `mem_mb`, `threads`, `nodes`, `runtime` in minutes, and `pbs_queue`, which wins over the
queue that is chosen.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_pbs.executor import PROJECT, Executor
from snakemake_executor_plugin_pbs.shapes import FORM

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Options that begin with --pbs-, or keys of a profile that begin with pbs-."""

    project: str | None = field(
        default=None,
        metadata={
            "type": str,
            "help": f"Who pays (qsub -P), or none, where nobody has to; else {PROJECT} of the environment.",
        },
    )
    shapes: list[str] = field(
        default_factory=list,
        metadata={
            "help": f"Queues that give each node of a job a fixed share, from the smallest: {FORM}. A job goes to the "
            "first that holds it. Without shapes PBS chooses, by ncpus, ngpus and mem.",
            "nargs": "+",
        },
    )
    reservation: str | None = field(
        default=None,
        metadata={
            "type": str,
            "help": "Queue of an advance reservation; the shape's name goes along as RTYPE (qsub -v), ABCI's way.",
        },
    )
    prologue: list[str] = field(
        default_factory=list,
        metadata={"help": "Commands of bash that begin every job, such as 'module load cuda'.", "nargs": "+"},
    )
    extra: str | None = field(
        default=None, metadata={"type": str, "help": "Further arguments of qsub: --pbs-extra='-p 1'"}
    )
    logdir: Path | None = field(
        default=None, metadata={"type": Path, "help": "Folder of PBS's logs; .snakemake/pbs_logs if not given."}
    )

    def __post_init__(self) -> None:
        """Let the workflow's own files see who pays, which are read before the executor starts."""
        if self.project is not None:
            os.environ[PROJECT] = self.project


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=5,
    pass_group_args=True,
)
