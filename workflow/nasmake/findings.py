"""What a finished run found: its artefacts as the report shows them, and the page with the table of trials.

No torch, optuna or matplotlib here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from nasmake.artifacts import read_csv, read_json
from nasmake.job import COMPLETE
from nasmake.optimize import Optimize
from nasmake.points import sampled_parameters
from nasmake.stages import INSTEAD, first_searched
from nasmake.summary import front, suggestions_of

Rows = list[dict[str, str]]
SHARED = "shared"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Trials</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; white-space: nowrap; }}
th, td {{ padding: .3em .8em; text-align: right; border-bottom: 1px solid #ddd; }}
th {{ position: sticky; top: 0; background: #fff; border-bottom: 2px solid #222; }}
td.text, th.text {{ text-align: left; }}
tr.chosen {{ font-weight: bold; background: #eef5fb; }}
</style>
</head>
<body>
<p>{outcome}</p>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</body>
</html>
"""
FACT_COLUMNS = ("trial", "chosen", "state", "val_accuracy", "test_accuracy", "val_loss")
COST_COLUMNS = ("parameters", "macs", "latency_ms")
TEXT_COLUMNS = ("chosen", "state", "architecture")


@dataclass(frozen=True)
class Findings:
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
        return self.architectures.get(SHARED) or self.architectures[unit_of(self.best["trial"])]


def read_findings(run: Path, optimize: Optimize, chain: Sequence[str]) -> Findings:
    """Read the folder of a finished run: the files of its trials only, whatever an earlier study left beside them.

    Args:
        run: the folder.
        optimize: settings of its study.
        chain: the stages of its trials, in order; the one before the last made the architectures.
    """
    table = read_csv(run / "study" / "trials.csv")
    promoted = read_json(run / "study" / "promoted.json")["trials"]
    results = [run / unit_of(int(row["trial"])) / "result.json" for row in table]
    units = {stage: _units(stage, chain, optimize, len(table)) for stage in chain if stage not in INSTEAD.values()}
    units["retrain_final"] = [unit_of(trial) for trial in promoted]
    if both := units.pop("search_supernet", None):
        units |= {"train_supernet": both, "search_architecture": both}
    searched = units.get("search_architecture", ())
    found = units.pop("take_architecture", None) or searched
    trials = zip(results, suggestions_of(results), strict=True)
    best = read_json(run / "study" / "best.json")
    best_unit = SHARED if SHARED in searched else unit_of(best["trial"])
    return Findings(
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


def unit_of(trial: int) -> str:
    """Name of a trial's unit."""
    return f"trial-{trial:04d}"


def trial_of(unit: str) -> int | None:
    """Number of a unit's trial; None for the shared unit."""
    return None if unit == SHARED else int(unit.removeprefix("trial-"))


def percent(share: float) -> str:
    """An accuracy for people."""
    return f"{100 * share:.2f} %"


def trials_page(findings: Findings) -> str:
    """The table of trials as one HTML page that loads nothing."""
    searched = [parameter.name for parameter in findings.optimize.parameters]
    costs = [column for column in COST_COLUMNS if column in findings.table[0]]
    columns = [*FACT_COLUMNS, *costs, *searched, "architecture"]
    head = "".join(f"<th{_kind(column)}>{escape(column)}</th>" for column in columns)
    body = "\n".join(_row(findings, columns, row) for row in findings.table)
    return PAGE.format(outcome=escape(outcome(findings.best)), head=head, body=body)


def outcome(best: Mapping[str, Any]) -> str:
    """What the study came to, in a sentence or two."""
    text = f"Best: trial {best['trial']}, val accuracy {percent(best['val_accuracy'])}"
    if best["test_accuracy"] is not None:
        text += f", test accuracy {percent(best['test_accuracy'])} on {best['test_n']:,} images"
    text += f"; {best['parameters']:,} parameters, {best['macs']:,} MACs"
    text += f", {best['latency_ms']:.3f} ms." if "latency_ms" in best else "."
    if "baseline" in best:
        baseline = best["baseline"]
        text += f" Test accuracy of {baseline['name']} on the same split: {percent(baseline['test_accuracy'])}."
    return text


def _units(stage: str, chain: Sequence[str], optimize: Optimize, trials: int) -> list[str]:
    first = first_searched((parameter.name for parameter in sampled_parameters(optimize.parameters)), chain)
    is_shared = chain.index(stage) < first
    return [SHARED] if is_shared else [unit_of(trial) for trial in range(trials)]


def _history(folder: Path, name: str) -> Rows:
    return read_csv(folder / "history" / f"{name}.csv")


def _row(findings: Findings, columns: Sequence[str], row: Mapping[str, str]) -> str:
    trial = int(row["trial"])
    chosen = "best" if trial == findings.best["trial"] else "promoted" if trial in findings.promoted else ""
    chosen = chosen or ("front" if trial in findings.front else "")
    reason = findings.trials[trial].get("reason")
    state = f"{row['state']}: {reason}" if reason else row["state"]
    texts = {column: _readable(column, row.get(column, "")) for column in columns} | {"chosen": chosen, "state": state}
    cells = "".join(f"<td{_kind(column)}>{escape(texts[column])}</td>" for column in columns)
    return f'<tr class="chosen">{cells}</tr>' if chosen in ("best", "promoted") else f"<tr>{cells}</tr>"


def _kind(column: str) -> str:
    return ' class="text"' if column in TEXT_COLUMNS else ""


def _readable(column: str, text: str) -> str:
    if column.endswith("_accuracy") and text:
        return percent(float(text))
    if text.isdecimal():
        return f"{int(text):,}"
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text
