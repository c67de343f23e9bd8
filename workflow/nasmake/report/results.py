"""What a finished run found: its artefacts as the report shows them, and the page with the table of trials.

No torch, optuna or matplotlib here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.config.study import Optimize
from nasmake.core.files import read_csv, read_json
from nasmake.core.records import COMPLETE, SHARED, trial_folder
from nasmake.pipeline.stages import INSTEAD, first_searched
from nasmake.report.summary import front, suggestions_of
from nasmake.study.parameter_space import sampled_parameters

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class StudyResults:
    """A finished run.

    Attributes:
        optimize: settings of its study.
        trials: result.json of every trial, in order, with the trial's `params`.
        table: rows of trials.csv.
        best: best.json.
        promoted: numbers of the promoted trials.
        histories: rows of history/<stage>.csv by stage and unit, for stages that compute.
        evaluations: rows of history/evaluations.csv by unit; empty where nothing was searched.
        random_evaluations: those of history/random_evaluations.csv.
        probabilities: rows of history/probabilities.csv of the best trial.
        architectures: architecture.json by unit.
    """

    optimize: Optimize
    trials: Sequence[Mapping[str, Any]]
    table: Rows
    best: Mapping[str, Any]
    promoted: Sequence[int]
    histories: Mapping[str, Mapping[str, Rows]]
    evaluations: Mapping[str, Rows]
    random_evaluations: Mapping[str, Rows]
    probabilities: Rows
    architectures: Mapping[str, Mapping[str, Any]]

    @property
    def completed(self) -> list[Mapping[str, Any]]:
        """Trials that have an objective."""
        return [trial for trial in self.trials if trial["state"] == COMPLETE]

    @property
    def front(self) -> list[int]:
        """Trials that none beats in all objectives, best val accuracy first; none with one objective."""
        objectives = self.optimize.objectives
        return [trial["trial"] for trial in front(self.trials, objectives)] if len(objectives) > 1 else []

    @property
    def always_sampled(self) -> list[str]:
        """Parameters that every completed trial sampled."""
        names = [parameter.name for parameter in self.optimize.parameters]
        return [name for name in names if all(name in trial["params"] for trial in self.completed)]

    @property
    def best_architecture(self) -> Mapping[str, Any]:
        """architecture.json of the best trial."""
        return self.architectures.get(SHARED) or self.architectures[trial_folder(self.best["trial"])]


def read_study_results(run: Path, optimize: Optimize, chain: Sequence[str]) -> StudyResults:
    """Read the folder of a finished run: the files of its trials only, whatever an earlier study left beside them.

    Args:
        run: the folder.
        optimize: settings of its study.
        chain: the stages of its trials, in order; the one before the last made the architectures.
    """
    table = read_csv(run / "study" / "trials.csv")
    promoted = read_json(run / "study" / "promoted.json")["trials"]
    results = [run / trial_folder(int(row["trial"])) / "result.json" for row in table]
    units = {stage: _units(stage, chain, optimize, len(table)) for stage in chain if stage not in INSTEAD.values()}
    units["retrain_final"] = [trial_folder(trial) for trial in promoted]
    if both := units.pop("search_supernet", None):
        units |= {"train_supernet": both, "search_architecture": both}
    searched = units.get("search_architecture", ())
    found = units.pop("import_architecture", None) or searched
    trials = zip(results, suggestions_of(results), strict=True)
    best = read_json(run / "study" / "best.json")
    best_unit = SHARED if SHARED in searched else trial_folder(best["trial"])
    return StudyResults(
        optimize=optimize,
        trials=[read_json(path) | {"params": parameters} for path, parameters in trials],
        table=table,
        best=best,
        promoted=promoted,
        histories={stage: {unit: _history(run / unit, stage) for unit in own} for stage, own in units.items()},
        evaluations={unit: _history(run / unit, "evaluations") for unit in searched},
        random_evaluations={unit: _history(run / unit, "random_evaluations") for unit in searched},
        probabilities=_history(run / best_unit, "probabilities") if searched else [],
        architectures={unit: read_json(run / unit / "architecture.json") for unit in found},
    )


def percent(share: float) -> str:
    """An accuracy for people."""
    return f"{100 * share:.2f} %"


def _units(stage: str, chain: Sequence[str], optimize: Optimize, trials: int) -> list[str]:
    first = first_searched((parameter.name for parameter in sampled_parameters(optimize.parameters)), chain)
    is_shared = chain.index(stage) < first
    return [SHARED] if is_shared else [trial_folder(trial) for trial in range(trials)]


def _history(folder: Path, name: str) -> Rows:
    return read_csv(folder / "history" / f"{name}.csv")
