"""What the console shows while a study runs: a line when a job starts or ends, and a line for each finished trial.

Snakemake prints every file of a job and its command. The lines here take their place on the console, while Snakemake's
log file keeps everything. This module knows the records of Snakemake's logger by their attributes and does not import
Snakemake. It loads no torch. It imports core, pipeline and report.status.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.core.records import TrialResult, read_result
from nasmake.pipeline.plan import Plan
from nasmake.report.effort import duration
from nasmake.report.status import best_line, time_left

SHOWN_OF_LOG = 10  # last lines of the log of a failed job
BETWEEN_ESTIMATES = 10.0  # seconds
UNNAMED = ("all", "suggest")  # rules that take a second and whose jobs are not named
NOISE = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Conda environments: ignored",
    "DAG of jobs",
    "Elapsed time",
    "Execute ",
    "Group jobs: ",
    "Job rate limit reached",
    "Provided ",
    "RuleException",
    "Rules claiming",
    "Select jobs",
    "Singularity containers: ignored",
    "Terminating processes on user",
    "Trying to restart",
    "Updating checkpoint",
    "Using shell",
    "Waiting at most",
)


@dataclass(frozen=True)
class RunningJob:
    """A job that was started.

    Attributes:
        name: its rule, and the trial if it belongs to one.
        outputs: the files that it writes.
        began: seconds, of a clock without a date.
    """

    name: str
    outputs: list[str]
    began: float


class Console:
    """A filter of Snakemake's console. It prints its own lines in place of the records that it holds back."""

    def __init__(self, plan: Plan, write: Callable[[str], None]) -> None:
        self.plan, self._write = plan, write
        self._jobs: dict[int, RunningJob] = {}
        self._best: TrialResult | None = None
        self._shown: dict[str, Callable[[logging.LogRecord], bool]] = {
            "job_info": self._start,
            "job_finished": self._finish,
            "job_error": self._fail,
            "progress": lambda record: False,
            "workflow_started": lambda record: False,
        }

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if Snakemake is to print a record itself."""
        show = self._shown.get(str(getattr(record, "event", None)))
        return not str(record.msg).startswith(NOISE) if show is None else show(record)

    def watch(self) -> None:
        """Print in the background how much time is left, each time that the epochs of another stage were measured."""
        threading.Thread(target=self._print_estimates, daemon=True).start()

    def _start(self, record: logging.LogRecord) -> bool:
        facts: Mapping[str, Any] = vars(record)
        name, wildcards = facts["rule_name"], facts["wildcards"] or {}
        unit = dict(wildcards).get("unit") or (f"trial-{wildcards['trial']}" if "trial" in wildcards else None)
        job = RunningJob(f"{name} ({unit})" if unit else name, list(facts["output"]), time.monotonic())
        self._jobs[facts["jobid"]] = job
        if name not in UNNAMED:
            self._print(f"started   {job.name}")
        return False

    def _finish(self, record: logging.LogRecord) -> bool:
        job = self._jobs.pop(vars(record)["job_id"], None)
        if job is None:
            return False
        if not job.name.startswith(UNNAMED):
            self._print(f"finished  {job.name} in {duration(time.monotonic() - job.began)}")
        for path in job.outputs:
            if path.endswith("/result.json"):
                self._print(self._trial_line(read_result(Path(path))))
        return False

    def _fail(self, record: logging.LogRecord) -> bool:
        facts: Mapping[str, Any] = vars(record)
        job, log = self._jobs.pop(facts["jobid"], None), next(map(Path, facts["log"]), None)
        lines = log.read_text(errors="replace").splitlines() if log is not None and log.is_file() else []
        if job is None or not lines:
            return True  # Snakemake's own lines tell more than an empty log
        self._print(f"failed    {job.name}; log: {log}, which ends with")
        for line in lines[-SHOWN_OF_LOG:]:
            self._write(f"    {line}")
        return False

    def _trial_line(self, result: TrialResult) -> str:
        """Return the outcome of a trial, and the best trial so far."""
        paths = [Path(self.plan.run, f"trial-{trial}", "result.json") for trial in self.plan.trials]
        others = [] if self._best else [read_result(path) for path in paths if path.is_file()]
        known = [one for one in (self._best, result, *others) if one is not None and one.value is not None]
        self._best = max(known, key=lambda one: (one.value or 0.0, -one.trial), default=None)
        if result.value is None:
            text = f"{result.outcome}; {result.reason}"
        else:
            text = f"val accuracy {result.value:.4f}, {result.parameters:,} parameters, {result.macs:,} MACs"
        best = "" if self._best is None else f"; {best_line(self._best.trial, self._best.value)}"
        return f"trial {result.trial}: {text}{best}"

    def _print_estimates(self) -> None:
        printed: set[str] = set()
        while True:
            left = time_left(self.plan, len(self._jobs))
            if left is not None and not left.measured <= printed:
                printed |= left.measured
                self._print(str(left))
            time.sleep(BETWEEN_ESTIMATES)

    def _print(self, text: str) -> None:
        self._write(f"{time.strftime('%H:%M:%S')}  {text}")
