"""The table of all trials as text, for the page of the report. No torch or matplotlib here."""

from collections.abc import Sequence
from dataclasses import dataclass

from nasmake.report.results import StudyResults, percent
from nasmake.report.summary import costs_of, trial_rows

SCORES = ("val_accuracy", "val_interval", "test_accuracy", "test_interval", "val_over_trial_0", "val_loss")


@dataclass(frozen=True)
class TrialsTable:
    """All trials of a study, also those that have not ended.

    Attributes:
        columns: names of the columns.
        rows: cells of each row, as text.
        chosen: for each row True if the trial was promoted.
        searched: names of the searched hyperparameters.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    chosen: Sequence[bool]
    searched: Sequence[str]


def trials_table(results: StudyResults, val_n: int | None = None) -> TrialsTable:
    """Return the table of trials; intervals are those of `val_n` val images."""
    params = [results.params.get(trial.trial, {}) for trial in results.trials]
    known = {row["trial"]: row for row in trial_rows(results.trials, params, results.finals, val_n)}
    outcomes = {trial.trial: trial.outcome for trial in results.trials}
    searched = [parameter.name for parameter in results.optimize.parameters]
    names = ["trial", "chosen", "state", *SCORES, *costs_of(results.trials), *searched, "architecture", "reason"]
    rows = []
    for trial in range(results.optimize.trial_number):
        begun = {"trial": trial, **results.params.get(trial, {})}
        row = known.get(trial, begun)
        waiting = "under way" if trial in results.params else "waiting"
        texts = {name: _readable(name, row.get(name)) for name in names}
        texts |= {f"{split}_interval": _interval(row, split) for split in ("val", "test")}
        texts |= {"chosen": _choice(trial, results), "state": outcomes.get(trial, waiting)}
        rows.append([texts[name] for name in names])
    filled = [any(row[index] for row in rows) for index in range(len(names))]
    return TrialsTable(
        columns=[_title(name, searched) for name, is_filled in zip(names, filled, strict=True) if is_filled],
        rows=[[cell for cell, is_filled in zip(row, filled, strict=True) if is_filled] for row in rows],
        chosen=[trial in results.promoted for trial in range(results.optimize.trial_number)],
        searched=searched,
    )


def _title(column: str, searched: Sequence[str]) -> str:
    """Return the heading of a column; the name of a hyperparameter stays as it is."""
    return column if column in searched else column.replace("_", " ").replace("macs", "MACs")


def _choice(trial: int, results: StudyResults) -> str:
    """Return what the trial was chosen for; empty for the others."""
    if results.best is not None and trial == results.best.trial:
        return "best" if results.has_ended else "best so far"
    return "promoted" if trial in results.promoted else "front" if trial in results.front else ""


def _interval(row: dict[str, object], split: str) -> str:
    """Return the limits of an accuracy as text in percent; empty without them."""
    low, high = row.get(f"{split}_low"), row.get(f"{split}_high")
    return f"{100 * low:.1f} to {100 * high:.1f} %" if isinstance(low, float) and isinstance(high, float) else ""


def _readable(column: str, value: object) -> str:
    """Return a cell as text: an accuracy in percent, a whole number with separators, another one with four digits."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if column == "val_over_trial_0" and isinstance(value, float):
        return f"{100 * value:+.2f} points"
    if column.endswith("_accuracy") and isinstance(value, float):
        return percent(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
