"""What a study comes to: promotion, the best network, tables. No torch here."""

import re
from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import yaml

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_atomically
from nasmake.core.pareto import non_dominated
from nasmake.core.records import COMPLETE

Record = Mapping[str, Any]
_ERROR = re.compile(r"error: |[\w.]*(Error|Exception)\b")  # ours, or the last line of a traceback
BEST_KEYS = (
    *("trial", "val_accuracy", "val_loss", "test_accuracy", "test_loss", "test_n"),
    *("parameters", "macs", "architecture"),
)
SOMETIMES = ("latency_ms", "baseline")  # further facts of a promoted network, where there are some


def promote(results: Sequence[Record], top: int, objectives: Sequence[str] = ("val_accuracy",)) -> list[int]:
    """The `top` completed trials with the highest val accuracy; fewer, if fewer completed.

    With two objectives only trials of the front are taken.

    Equal accuracies are decided by val loss, then by the trial's number.

    Raises:
        InputError: no trial completed.
    """
    completed = [result for result in results if result["state"] == COMPLETE]
    if not completed:
        reasons = sorted({str(result.get("reason")) for result in results})
        raise InputError(f"no trial of {len(results)} completed, so there is nothing to promote; {reasons[0]}")
    ranked = _by_accuracy(completed) if len(objectives) == 1 else front(results, objectives)
    return [result["trial"] for result in ranked[:top]]


def front(results: Sequence[Record], objectives: Sequence[str]) -> list[Record]:
    """The completed trials that no other beats in all objectives, best val accuracy first."""
    completed = [result for result in results if result["state"] == COMPLETE]
    _, *costs = objectives
    points = [(-result["val_accuracy"], *(result[cost] for cost in costs)) for result in completed]
    return _by_accuracy(list(compress(completed, non_dominated(points))))


def best_of(finals: Mapping[Path, Record]) -> tuple[Path, dict[str, Any]]:
    """Folder and facts of the best promoted network: highest val accuracy, never by test.

    Raises:
        InputError: the final training of every promoted trial diverged.
    """
    completed = {path: final for path, final in finals.items() if final["state"] == COMPLETE}
    if not completed:
        raise InputError("the final training of every promoted trial diverged; lower retrain.hyperparameters.base_lr")
    path = min(completed, key=lambda path: (-completed[path]["val_accuracy"], completed[path]["val_loss"], path))
    best = completed[path]
    return path, {key: best[key] for key in (*BEST_KEYS, *SOMETIMES) if key in BEST_KEYS or key in best}


def suggestions_of(results: Sequence[Path]) -> list[dict[str, Any]]:
    """Parameters of each trial, from the suggestion beside its result."""
    return [dict(read_json(path.parent / "suggestion.json")["params"]) for path in results]


def trial_rows(
    results: Sequence[Record], suggested: Sequence[Record], finals: Sequence[Record]
) -> list[dict[str, Any]]:
    """One row per trial: parameters, state, scores, cost."""
    tested = {final["trial"]: final.get("test_accuracy") for final in finals}
    facts = ("trial", "state", "val_accuracy", "val_loss", *costs_of(results), "architecture")
    return [
        {key: result.get(key) for key in facts} | dict(parameters) | {"test_accuracy": tested.get(result["trial"])}
        for result, parameters in zip(results, suggested, strict=True)
    ]


def trial_columns(optimize: Optimize, results: Sequence[Record]) -> list[str]:
    """Columns of trials.csv."""
    names = [parameter.name for parameter in optimize.parameters]
    scores = ("val_accuracy", "val_loss", "test_accuracy")
    return ["trial", "state", *names, *scores, *costs_of(results), "architecture"]


def costs_of(results: Sequence[Record]) -> list[str]:
    """The costs that results know; latency only where the search had a limit on it."""
    return ["parameters", "macs", *["latency_ms"] * any("latency_ms" in result for result in results)]


def table(finals: Sequence[Record], run: Path, notes: Sequence[str] = ()) -> str:
    """The table that ends a run: promoted trials, best val accuracy first, the baseline if there is one, notes."""
    ranked = sorted(finals, key=lambda final: (-(final["val_accuracy"] or 0), final["val_loss"]))
    timed = "latency_ms" in costs_of(finals)
    latency = f"  {'latency':>10}" if timed else ""
    lines = [f"{'trial':>5}  {'val':>6}  {'test':>6}  {'parameters':>10}  {'MACs':>11}{latency}  architecture"]
    for final in ranked:
        cells = [f"{final['trial']:>5}", _share(final["val_accuracy"]), _share(final.get("test_accuracy"))]
        costs = [f"{final['parameters']:>10,}", f"{final['macs']:>11,}"]
        costs += [f"{final['latency_ms']:>7.3f} ms"] if timed else []
        lines.append("  ".join([*cells, *costs, final["architecture"]]))
    for name, accuracy in sorted({tuple(final["baseline"].values()) for final in ranked if "baseline" in final}):
        lines.append(f"       test accuracy of {name} on the same split: {_share(accuracy).strip()}")
    test_n = max((final.get("test_n") or 0 for final in ranked), default=0)
    lines.append(f"       val: the trial's objective; test: {test_n} images, read once, after final training")
    lines += [f"       {note}" for note in notes]
    return "\n".join([*lines, f"       best: {run}/study/best.json   report: make report CONFIG=<your file>", ""])


def failures(run: Path, since: float) -> list[str]:
    """One line for each job of a run whose log ends in an error: where the log is, and that line.

    Args:
        run: folder of the run.
        since: logs that are older, in seconds of the epoch, are of other runs.
    """
    logs = [log for log in sorted(run.rglob("logs/*.log")) if log.stat().st_mtime >= since]
    last_lines = {log: (log.read_text(errors="replace").splitlines() or [""])[-1] for log in logs}
    return [f"{log}: {line}" for log, line in last_lines.items() if _ERROR.match(line)]


def write_resolved(path: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration with all defaults filled in, unless that is what is there."""
    text = yaml.safe_dump(dict(config), sort_keys=True, default_flow_style=None, width=120)
    if not path.is_file() or path.read_text() != text:
        write_atomically(path, text.encode())


def _by_accuracy(results: Sequence[Record]) -> list[Record]:
    return sorted(results, key=lambda result: (-result["val_accuracy"], result["val_loss"], result["trial"]))


def _share(accuracy: float | None) -> str:
    return f"{'-':>6}" if accuracy is None else f"{accuracy:6.4f}"
