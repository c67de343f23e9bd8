"""What qsub is told about a job: its name, project, queue, walltime, umask and log.

This module starts no program. It imports `journal` and `shapes`.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import ApiError
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_pbs.journal import Entry
from snakemake_executor_plugin_pbs.shapes import format_walltime

NO_PROJECT = "none"  # a word, because Snakemake replaces an empty value in a profile by the profile's folder
DEFAULT_RUNTIME = 60  # minutes, for a rule without runtime
MAX_NAME_LENGTH = 60  # characters of a job name


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


@dataclass(frozen=True)
class Options:
    """What all jobs of a run have in common.

    Attributes:
        project: project that pays, or "" at a site without charges.
        reservation: queue of an advance reservation, or None.
        umask: umask of the jobs.
        extra: additional arguments of qsub.
    """

    project: str
    reservation: str | None
    umask: int
    extra: Sequence[str]

    @classmethod
    def from_settings(cls, settings: Any) -> "Options":
        """Read the settings of the executor, and the umask of this process.

        Raises:
            ApiError: no project is set.
        """
        return cls(
            paying_project(settings.project), settings.reservation, current_umask(), shlex.split(settings.extra or "")
        )

    def arguments_of_qsub(self, job: JobExecutorInterface, select: str, queue: str | None, log: Path) -> list[str]:
        """Return the arguments of qsub for a job, without the script.

        Args:
            job: the Snakemake job.
            select: resources of the job in the form of `qsub -l select=`.
            queue: the chosen queue, or None for PBS's default.
            log: file that PBS writes.
        """
        arguments = ["-P", self.project] if self.project else []
        if self.reservation:
            arguments += ["-q", self.reservation, *(["-v", f"RTYPE={queue}"] if queue else [])]
        elif queue:
            arguments += ["-q", queue]
        runtime = job.resources.get("runtime")
        walltime = format_walltime(DEFAULT_RUNTIME if runtime is None else float(runtime))
        arguments += ["-l", f"select={select}", "-l", f"walltime={walltime}", "-N", job_name(job)]
        # -r n: PBS must not rerun a lost job, because Snakemake does that. -k oed: PBS writes the log during the job.
        arguments += ["-r", "n", "-j", "oe", "-k", "oed", "-o", printable_path(log)]
        # Otherwise PBS would set 077. No leading zero: PBS reads the decimal digits of the number as octal digits.
        return [*arguments, "-W", f"umask={self.umask:o}", *self.extra]


def paying_project(setting: str | None) -> str:
    """Return the project that pays, or "" at a site without charges.

    Args:
        setting: --pbs-project. A profile can name an environment variable that the workflow sets when it is read.

    Raises:
        ApiError: no project is set, or the environment variable is not set.
    """
    project = os.path.expandvars(setting or "")
    if not project:
        raise ApiError(
            "--pbs-project: no project pays for PBS jobs; expected a project, or none at a site without charges; "
            "type: export SNAKEMAKE_PBS_PROJECT=your-project, or give --pbs-project"
        )
    if match := re.search(r"\$\{?(\w+)", project):
        raise ApiError(
            f"--pbs-project is {setting}: the environment variable {match[1]} is not set; expected the project that "
            f"pays for PBS jobs; type: export {match[1]}=your-project, or give --pbs-project"
        )
    return "" if project == NO_PROJECT else project


def current_umask() -> int:
    """Return the umask of this process."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def printable_path(path: Path) -> str:
    """Return a path below the log folder in a form that qsub accepts: qsub refuses bytes that are not printable ASCII.

    A relative path is enough for qsub, which adds the current folder without a check (prepare_path.c of OpenPBS).

    Raises:
        ApiError: there is no such form.
    """
    for form in (str(path), os.path.relpath(path)):
        if form.isascii() and form.isprintable():
            return form
    raise ApiError(
        f"--pbs-logdir is {path}; expected a path of printable ASCII characters, or one within the work directory "
        "whose own name has no other characters; type: --pbs-logdir .snakemake/pbs_logs"
    )


def job_name(job: JobExecutorInterface) -> str:
    """Return the rule and the wildcards of a job, in characters and a length that PBS accepts as a job name."""
    wildcards = () if job.is_group() else job.wildcards
    return re.sub(r"[^A-Za-z0-9_.-]", "-", ".".join([job.name, *map(str, wildcards)]))[:MAX_NAME_LENGTH]
