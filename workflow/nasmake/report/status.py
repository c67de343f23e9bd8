"""How far a run is: its jobs by stage, the stages under way, the best trial so far, and what failed.

The status is read from the files of the run, so it can be asked for while a study runs, on this machine or a cluster,
and when none runs. This module loads no torch. It imports core, pipeline, report.effort and report.summary.
"""

import fcntl
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from nasmake.config.configfiles import merged
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.pipeline.lock import controller_at_work
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.study_jobs import PROMOTED
from nasmake.pipeline.walltime import EPOCH_LINE, epochs_of
from nasmake.report.effort import duration
from nasmake.report.summary import failures

DONE, RUNNING, INTERRUPTED, WAITING = STATES = ("done", "running", "interrupted", "waiting")


@dataclass(frozen=True)
class StageOfUnit:
    """A stage of a trial, or one that all trials share.

    Attributes:
        stage: name of the stage.
        folder: folder of its results.
    """

    stage: str
    folder: Path

    @property
    def log(self) -> Path:
        """The log of its job."""
        return self.folder / "logs" / f"{self.stage}.log"

    @property
    def state(self) -> str:
        """One of STATES."""
        if all((self.folder / artefact).is_file() for artefact in STAGES[self.stage].outputs.values()):
            return DONE
        locks = self.folder.glob(f".resume/{self.stage}-*.lock")
        return RUNNING if any(map(_is_held, locks)) else INTERRUPTED if self._has_begun else WAITING

    @property
    def _has_begun(self) -> bool:
        return any(path.is_dir() for path in self.folder.glob(f".resume/{self.stage}-*"))

    def epochs(self) -> list[tuple[int, float]]:
        """Return the number and the seconds of each epoch in the log of its job."""
        timed = EPOCH_LINE.findall(self.log.read_text(errors="replace")) if self.log.is_file() else []
        return [(int(number), float(seconds)) for number, seconds in timed]

    def progress(self, epochs: int | None) -> str:
        """Return the unit, the stage, its last epoch and, from the durations of its epochs, the time that is left.

        Args:
            epochs: length of the stage; None if it has no epochs.
        """
        timed, text = self.epochs(), f"{self.folder.name} {self.stage}"
        if not timed or epochs is None:
            return text
        last, seconds = timed[-1][0], mean(seconds for _, seconds in timed)
        return f"{text}: epoch {last} of {epochs}, {seconds:.1f} s each, {duration(seconds * (epochs - last))} left"


@dataclass(frozen=True)
class TimeLeft:
    """How long the jobs of a run still take, by the epochs that were measured.

    Attributes:
        seconds: sum over the jobs of each stage that has epochs left.
        unmeasured: stages of which no epoch was measured yet.
        at_once: number of jobs that run at once.
    """

    seconds: Mapping[str, float]
    unmeasured: tuple[str, ...]
    at_once: int

    @property
    def measured(self) -> set[str]:
        """Names of the stages whose epochs were measured."""
        return set(self.seconds)

    def __str__(self) -> str:
        total = sum(self.seconds.values()) / self.at_once
        stages = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in self.seconds.items())
        jobs = "one job at a time" if self.at_once == 1 else f"{self.at_once} jobs at once"
        missing = f"; not measured yet: {', '.join(self.unmeasured)}" if self.unmeasured else ""
        return f"time left: about {duration(total)} with {jobs} (sums of jobs: {stages}{missing})"


def status(run: Path) -> list[str]:
    """Return the status of a run as lines of text.

    Raises:
        InputError: the folder is no run that was started.
    """
    if not (run / "config.yaml").is_file():
        raise InputError(f"{run}: no config.yaml; expected the folder of a run that was started")
    plan = Plan(merged([run / "config.yaml"]))
    holder = controller_at_work(Path(".snakemake"))
    states = {one: one.state for one in _stages(plan)}
    begun = {one: state for one, state in states.items() if state in (RUNNING, INTERRUPTED)}
    running = [one for one, state in begun.items() if state == RUNNING]
    return [
        f"{run}: {len(plan.trials)} trials; {f'a study is running {holder}' if holder else 'no study is running here'}",
        *_table(states),
        *(f"{state}: {one.progress(epochs_of(one.stage, plan.config))}" for one, state in begun.items()),
        *([] if (left := time_left(plan, len(running))) is None else [str(left)]),
        *_failed(run, running),
        *_best(plan),
    ]


def time_left(plan: Plan, at_once: int) -> TimeLeft | None:
    """Return how long the jobs of a run still take; None if nothing is left to train, or nothing was measured.

    Args:
        plan: the plan of the run.
        at_once: number of jobs that run now; 0 counts as 1.
    """
    epochs_left: Counter[str] = Counter()
    measured: dict[str, list[float]] = {}
    for one in _stages(plan):
        length, timed = epochs_of(one.stage, plan.config), one.epochs()
        if length is not None and one.state != DONE:
            epochs_left[one.stage] += max(0, length - (timed[-1][0] if timed else 0))
        if timed:
            measured.setdefault(one.stage, []).append(mean(seconds for _, seconds in timed))
    if not Path(plan.run, PROMOTED).is_file() and plan.config.promote.top:
        finals = min(plan.config.promote.top, len(plan.trials)) * plan.config.final.seeds
        epochs_left["retrain_final"] += finals * (epochs_of("retrain_final", plan.config) or 0)
    if "retrain" in measured:
        measured.setdefault("retrain_final", measured["retrain"])
    wanted = [stage for stage, epochs in epochs_left.items() if epochs]
    seconds = {stage: epochs_left[stage] * mean(measured[stage]) for stage in wanted if stage in measured}
    unmeasured = tuple(stage for stage in wanted if stage not in measured)
    return TimeLeft(seconds, unmeasured, max(1, at_once)) if seconds else None


def best_line(trial: int, val_accuracy: float | None) -> str:
    """Return what is said of the best trial so far."""
    return f"best so far: trial {trial}, val accuracy {val_accuracy:.4f}"


def _stages(plan: Plan) -> Iterator[StageOfUnit]:
    """Yield every stage of a run: those of the trials, and the final trainings once trials are promoted."""
    units = [f"trial-{trial}" for trial in plan.trials]
    for stage in plan.chain:
        for folder in dict.fromkeys(plan.folder_of(stage, unit) for unit in units):
            yield StageOfUnit(stage, Path(folder))
    promotion = Path(plan.run, PROMOTED)
    if promotion.is_file():
        for path in plan.promoted(str(promotion), "final.json", plan.config.final.seeds):
            yield StageOfUnit("retrain_final", Path(path).parent)


def _table(states: dict[StageOfUnit, str]) -> list[str]:
    counts: dict[str, Counter[str]] = {}
    for one, state in states.items():
        counts.setdefault(one.stage, Counter())[state] += 1
    rows = [["stage", *STATES], *([stage, *(f"{of[state]}" for state in STATES)] for stage, of in counts.items())]
    return ["  ".join([row[0].ljust(20), *(cell.rjust(11) for cell in row[1:])]) for row in rows]


def _failed(run: Path, running: list[StageOfUnit]) -> list[str]:
    """Return the last line of each log of a job that failed. The log of a job that runs does not tell yet."""
    logs = tuple(f"{one.log}:" for one in running)
    return [f"failed: {line}" for line in failures(run, since=0) if not line.startswith(logs)]


def _best(plan: Plan) -> list[str]:
    """Return a line with the trial of the highest val accuracy so far; nothing before a trial has one."""
    paths = [Path(plan.run, f"trial-{trial}", "result.json") for trial in plan.trials]
    results = [read_json(path) for path in paths if path.is_file()]
    complete = [result for result in results if result["value"] is not None]
    best = max(complete, key=lambda result: result["value"], default=None)
    return [] if best is None else [best_line(best["trial"], best["value"])]


def _is_held(lock: Path) -> bool:
    """Return whether a process holds the lock of a stage."""
    try:
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # removed since it was listed
        return False
    return False
