"""The files of a run, read for the figures and the page of the report. No torch, optuna or matplotlib here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError, cut, shown
from nasmake.core.files import read_csv, read_json
from nasmake.core.records import (
    COMPLETE,
    SHARED,
    BestNetwork,
    CompletedTrial,
    FinalResult,
    TrialResult,
    read_best,
    read_final,
    read_promoted,
    read_result,
    read_suggestion,
    record_of,
    trial_folder,
    trial_number,
)
from nasmake.pipeline.stages import STAGES, first_searched
from nasmake.report.summary import completed_trials, front
from nasmake.study.parameter_space import sampled_parameters

Rows = list[dict[str, str]]
Content = TypeVar("Content")
# Columns that the figures need, by the name of the history; any other history needs its epochs.
NEEDED_COLUMNS = {
    "evaluations": ("val_loss", "val_accuracy", "macs"),
    "random_evaluations": ("val_loss", "val_accuracy", "macs"),
    "probabilities": ("epoch", "decision", "choice", "probability"),
}
TEXT_COLUMNS = {"decision", "choice", "decisions", "on_front"}


@dataclass(frozen=True)
class StudyResults:
    """What a run has on disk. In the middle of a study, what is missing is left out.

    A unit is the folder of a trial, or the folder `shared`.

    Attributes:
        optimize: settings of its study.
        trials: result.json of every trial that ended, in order.
        params: sampled hyperparameters of every trial that began, by its number.
        best: best.json; before the study ended, the completed trial with the highest val accuracy; None without one.
        has_ended: best.json is there.
        promoted: numbers of the promoted trials.
        finals: final.json of the promoted trials whose final training ended.
        histories: rows of history/<stage>.csv by stage and unit, for the stages that train or search.
        evaluations: rows of history/evaluations.csv by unit; empty without a search.
        random_evaluations: rows of history/random_evaluations.csv by unit.
        probabilities: rows of history/probabilities.csv of the best trial.
        architectures: architecture.json by unit.
    """

    optimize: Optimize
    trials: Sequence[TrialResult]
    params: Mapping[int, Mapping[str, Any]]
    best: BestNetwork | None
    has_ended: bool
    promoted: Sequence[int]
    finals: Sequence[FinalResult]
    histories: Mapping[str, Mapping[str, Rows]]
    evaluations: Mapping[str, Rows]
    random_evaluations: Mapping[str, Rows]
    probabilities: Rows
    architectures: Mapping[str, Mapping[str, Any]]

    @property
    def completed(self) -> list[CompletedTrial]:
        """Results of the trials that completed."""
        return completed_trials(self.trials)

    @property
    def front(self) -> list[int]:
        """Numbers of the trials on the Pareto front, best val accuracy first; empty with a single objective."""
        objectives = self.optimize.objectives
        return [trial.trial for trial in front(self.trials, objectives)] if len(objectives) > 1 else []

    @property
    def always_sampled(self) -> list[str]:
        """Names of the hyperparameters that every completed trial sampled."""
        names = [parameter.name for parameter in self.optimize.parameters]
        return [name for name in names if all(name in self.params.get(trial.trial, {}) for trial in self.completed)]

    @property
    def best_architecture(self) -> Mapping[str, Any] | None:
        """architecture.json of the best trial; None before a trial completed."""
        own = None if self.best is None else self.architectures.get(trial_folder(self.best.trial))
        return None if self.best is None else self.architectures.get(SHARED, own)


def read_study_results(run: Path, optimize: Optimize, chain: Sequence[str]) -> StudyResults:
    """Read what is in the folder of a run. Files that an earlier, larger study left beside its trials are not read.

    Args:
        run: the folder.
        optimize: settings of its study.
        chain: the stages of its trials, in order; the one before the last wrote the architectures.

    Raises:
        InputError: a file is damaged, or one of its fields is missing or wrong.
    """
    folders = [trial_folder(trial) for trial in range(optimize.trial_number)]
    trials = list(_of_each(read_result, {unit: run / unit / "result.json" for unit in folders}).values())
    suggestions = _of_each(read_suggestion, {unit: run / unit / "suggestion.json" for unit in folders})
    study = _of_each(read_promoted, {"promoted": run / "study" / "promoted.json"})
    promoted = [trial for trial in study.get("promoted", []) if trial < optimize.trial_number]
    best = _of_each(read_best, {"best": run / "study" / "best.json"}).get("best")
    has_ended = best is not None and best.trial in promoted
    best = best if has_ended else _leading(completed_trials(trials))
    first = first_searched([parameter.name for parameter in sampled_parameters(optimize.parameters)], chain)
    units = {stage: [SHARED] if index < first else folders for index, stage in enumerate(chain)}
    with_architecture = units[chain[-2]]
    searched = [] if chain[-2] == "import_architecture" else with_architecture
    computed = {
        stage: units[stage] for stage in chain if any("history/" in path for path in STAGES[stage].outputs.values())
    }
    computed["retrain_final"] = [trial_folder(trial) for trial in promoted]
    if "search_supernet" in computed:  # one stage, with the histories of two
        computed |= dict.fromkeys(("train_supernet", "search_architecture"), computed.pop("search_supernet"))

    def histories(members: Iterable[str], name: str) -> dict[str, Rows]:
        return _of_each(read_history, {unit: run / unit / "history" / f"{name}.csv" for unit in members})

    best_unit = [SHARED] if SHARED in searched else [] if best is None else [trial_folder(best.trial)]
    shown = histories(best_unit if searched else [], "probabilities")
    return StudyResults(
        optimize=optimize,
        trials=trials,
        params={trial_number(unit) or 0: suggestion.params for unit, suggestion in suggestions.items()},
        best=best,
        has_ended=has_ended,
        promoted=promoted,
        finals=list(_of_each(read_final, {str(t): run / trial_folder(t) / "final.json" for t in promoted}).values()),
        histories={stage: rows for stage, members in computed.items() if (rows := histories(members, stage))},
        evaluations=histories(searched, "evaluations"),
        random_evaluations=histories(searched, "random_evaluations"),
        probabilities=next(iter(shown.values()), []),
        architectures=_of_each(_architecture, {unit: run / unit / "architecture.json" for unit in with_architecture}),
    )


def _of_each(read: Callable[[Path], Content], paths: Mapping[str, Path]) -> dict[str, Content]:
    """Return the contents of the files that exist, by the same names."""
    return {name: read(path) for name, path in paths.items() if path.is_file()}


def _leading(completed: Sequence[CompletedTrial]) -> BestNetwork | None:
    """Return the network of the trial with the highest val accuracy, which is not tested yet."""
    if not completed:
        return None
    trial = min(completed, key=lambda trial: (-trial.val_accuracy, trial.val_loss, trial.trial))
    facts = {fact.name: getattr(trial, fact.name) for fact in fields(BestNetwork) if hasattr(trial, fact.name)}
    return BestNetwork(**facts, test_accuracy=None, test_loss=None, test_n=0)


def read_history(path: Path) -> Rows:
    """Return the rows of a history; every cell of a column of numbers is empty or a number.

    Raises:
        InputError: the file is missing or damaged, lacks a column, or has another text where a number belongs.
    """
    rows = read_csv(path)
    needed = NEEDED_COLUMNS.get(path.stem, ("epoch",)) if rows else ()
    for column in needed:
        if column not in rows[0]:
            raise InputError(f"{path}: column {column} is missing; the file has {cut(', '.join(rows[0]))}")
    for number, row in enumerate(rows, start=1):
        for column in row.keys() - TEXT_COLUMNS:
            cell = row[column]
            if not _is_number(cell) and (cell or column in needed):
                raise InputError(f"{path}: row {number}: {column} is {shown(cell)}; expected a number")
    return rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class _CompleteNetwork:
    macs: int
    parameters: int
    scores: dict[str, float | None] | None = None  # none for an imported network


def _architecture(path: Path) -> dict[str, Any]:
    """Return an architecture.json; that of a network has its costs and scores."""
    content = read_json(path)
    if content.get("state") == COMPLETE:
        record_of(_CompleteNetwork, content, path)
    return content


def percent(share: float) -> str:
    """Return an accuracy 0..1 as text in percent, such as `93.21 %`."""
    return f"{100 * share:.2f} %"
