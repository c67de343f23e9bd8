"""The files of a finished run, read for the figures and the table of trials. No torch, optuna or matplotlib here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError, cut, shown
from nasmake.core.files import read_csv, read_json
from nasmake.core.records import (
    COMPLETE,
    SHARED,
    BestNetwork,
    CompletedTrial,
    TrialResult,
    read_best,
    read_promoted,
    read_result,
    read_suggestion,
    record_of,
    trial_folder,
)
from nasmake.pipeline.stages import STAGES, first_searched
from nasmake.report.summary import completed_trials, front
from nasmake.study.parameter_space import sampled_parameters

Rows = list[dict[str, str]]
# Columns that the figures need, by the name of the history; any other history needs its epochs.
NEEDED_COLUMNS = {
    "evaluations": ("val_loss", "val_accuracy", "macs"),
    "random_evaluations": ("val_loss", "val_accuracy", "macs"),
    "probabilities": ("epoch", "decision", "choice", "probability"),
}
TEXT_COLUMNS = {"decision", "choice", "decisions", "on_front"}


@dataclass(frozen=True)
class StudyResults:
    """A finished run. A unit is the folder of a trial, or the folder `shared`.

    Attributes:
        optimize: settings of its study.
        trials: result.json of every trial, in order.
        params: sampled hyperparameters of every trial, in order.
        table: rows of trials.csv.
        best: best.json.
        promoted: numbers of the promoted trials.
        histories: rows of history/<stage>.csv by stage and unit, for the stages that train or search.
        evaluations: rows of history/evaluations.csv by unit; empty without a search.
        random_evaluations: rows of history/random_evaluations.csv by unit.
        probabilities: rows of history/probabilities.csv of the best trial.
        architectures: architecture.json by unit.
    """

    optimize: Optimize
    trials: Sequence[TrialResult]
    params: Sequence[Mapping[str, Any]]
    table: Rows
    best: BestNetwork
    promoted: Sequence[int]
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
        return [name for name in names if all(name in self.params[trial.trial] for trial in self.completed)]

    @property
    def best_architecture(self) -> Mapping[str, Any]:
        """architecture.json of the best trial."""
        return self.architectures.get(SHARED) or self.architectures[trial_folder(self.best.trial)]


def read_study_results(run: Path, optimize: Optimize, chain: Sequence[str]) -> StudyResults:
    """Read the folder of a finished run. Files that an earlier, larger study left beside its trials are not read.

    Args:
        run: the folder.
        optimize: settings of its study.
        chain: the stages of its trials, in order; the one before the last wrote the architectures.

    Raises:
        InputError: a file is missing, or one of its fields is missing or wrong.
    """
    table = _trials_table(run / "study" / "trials.csv")
    promoted = read_promoted(run / "study" / "promoted.json")
    best = read_best(run / "study" / "best.json")
    folders = [trial_folder(int(row["trial"])) for row in table]
    first = first_searched([parameter.name for parameter in sampled_parameters(optimize.parameters)], chain)
    units = {stage: [SHARED] if index < first else folders for index, stage in enumerate(chain)}
    with_architecture = units[chain[-2]]
    searched = [] if chain[-2] == "import_architecture" else with_architecture
    best_unit = SHARED if SHARED in searched else trial_folder(best.trial)
    computed = {
        stage: units[stage] for stage in chain if any("history/" in path for path in STAGES[stage].outputs.values())
    }
    computed["retrain_final"] = [trial_folder(trial) for trial in promoted]
    if "search_supernet" in computed:  # one stage, with the histories of two
        computed |= dict.fromkeys(("train_supernet", "search_architecture"), computed.pop("search_supernet"))

    def history(unit: str, name: str) -> Rows:
        return read_history(run / unit / "history" / f"{name}.csv")

    return StudyResults(
        optimize=optimize,
        trials=[read_result(run / folder / "result.json") for folder in folders],
        params=[read_suggestion(run / folder / "suggestion.json").params for folder in folders],
        table=table,
        best=best,
        promoted=promoted,
        histories={stage: {unit: history(unit, stage) for unit in members} for stage, members in computed.items()},
        evaluations={unit: history(unit, "evaluations") for unit in searched},
        random_evaluations={unit: history(unit, "random_evaluations") for unit in searched},
        probabilities=history(best_unit, "probabilities") if searched else [],
        architectures={unit: _architecture(run / unit / "architecture.json") for unit in with_architecture},
    )


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


def _trials_table(path: Path) -> Rows:
    rows = read_csv(path, columns=("trial", "state"))
    if not rows:
        raise InputError(f"{path}: no rows; expected one for each trial")
    for number, row in enumerate(rows, start=1):
        if not row["trial"].isdecimal() or len(row["trial"]) > len("9999"):
            raise InputError(f"{path}: row {number}: trial is {shown(row['trial'])}; expected the number of a trial")
    return rows


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
