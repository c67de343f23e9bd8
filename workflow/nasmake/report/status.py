"""How far a run is: its jobs by stage, the stages under way, the best trial so far, and what failed.

The status is read from the files of the run, so it can be asked for while a study runs, on this machine or a cluster,
and when none runs. This module loads no torch. It imports core, pipeline, report.effort and report.summary.
"""

import fcntl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nasmake.config.configfiles import merged
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.pipeline.lock import controller_at_work
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.study_jobs import PROMOTED
from nasmake.pipeline.walltime import EPOCH_LINE, EPOCHS
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

    def progress(self, epochs: int | None) -> str:
        """Return the unit, the stage, its last epoch and, from the durations of its epochs, the time that is left.

        Args:
            epochs: length of the stage; None if it has no epochs.
        """
        timed = EPOCH_LINE.findall(self.log.read_text(errors="replace")) if self.log.is_file() else []
        text = f"{self.folder.name} {self.stage}"
        if not timed or epochs is None:
            return text
        last = int(timed[-1][0])
        seconds = sum(float(duration) for _, duration in timed) / len(timed)
        return f"{text}: epoch {last} of {epochs}, {seconds:.1f} s each, {duration(seconds * (epochs - last))} left"


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
    return [
        f"{run}: {len(plan.trials)} trials; {f'a study is running {holder}' if holder else 'no study is running here'}",
        *_table(states),
        *(f"{state}: {one.progress(_epochs(plan, one.stage))}" for one, state in begun.items()),
        *_failed(run, [one for one, state in begun.items() if state == RUNNING]),
        *_best(plan),
    ]


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
    return [] if best is None else [f"best so far: trial {best['trial']}, val accuracy {best['value']:.4f}"]


def _epochs(plan: Plan, stage: str) -> int | None:
    """Return the length of a stage; None if it has no epochs."""
    if stage == "retrain_final" and plan.config.final.num_epochs:
        return plan.config.final.num_epochs
    return getattr(plan.config.nas, EPOCHS[stage]) if stage in EPOCHS else None


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
