"""Snakemake executor for PBS Professional and OpenPBS: `snakemake --executor pbs`.

The executor submits each Snakemake job with qsub. One call of qstat queries up to 100 jobs; if it fails, the executor
asks again in the next round. Ctrl-C and SIGTERM delete all jobs of the run. If Snakemake is killed, the next run in the
same work directory continues with the jobs that are queued, running or finished.

A rule can set `threads` and the resources `gpu`, `mem_mb` (all three per node), `nodes`, `runtime` (minutes) and
`pbs_queue`. `pbs_queue` overrides the queue that the executor would choose.

This module holds the options; `executor` holds the executor.
"""

from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_pbs.executor import Executor
from snakemake_executor_plugin_pbs.shapes import SHAPE_FORMAT

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Options of the command line that start with --pbs-, and keys of a profile that start with pbs-."""

    project: str | None = field(
        default=None,
        metadata={
            "type": str,
            "help": "Project or group that pays for the jobs (qsub -P), or none if the site does not charge. "
            "Environment variables in the value are expanded when the run starts.",
            "env_var": True,
        },
    )
    shapes: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Queues that give a job a fixed share of each node, from the smallest to the largest, each as "
            f"{SHAPE_FORMAT}. A job is submitted to the first queue that it fits. Without shapes, the job requests "
            "ncpus, ngpus and mem, and PBS chooses the queue.",
            "nargs": "+",
        },
    )
    reservation: str | None = field(
        default=None,
        metadata={
            "type": str,
            "help": "Queue of an advance reservation. The name of the shape is then passed as RTYPE (qsub -v), "
            "as some sites require.",
            "env_var": True,
        },
    )
    prologue: list[str] = field(
        default_factory=list,
        metadata={"help": "Bash commands to run at the start of every job, such as 'module load cuda'.", "nargs": "+"},
    )
    extra: str | None = field(
        default=None,
        metadata={
            "type": str,
            "help": "Additional arguments of qsub, such as --pbs-extra='-p 1'.",
            "env_var": True,
        },
    )
    logdir: Path | None = field(
        default=None,
        metadata={
            "type": Path,
            "help": "Folder of the PBS logs. Default: .snakemake/pbs_logs.",
            "env_var": True,
        },
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=5,
    pass_group_args=True,
)
