"""Compare finished runs: their best networks with intervals, their costs, and the settings that differ. No torch here.

scripts/compare_runs.py calls `comparison` and `figure_of`. A run that is unfinished or damaged has one line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from nasmake.config import load
from nasmake.core.errors import InputError, shown
from nasmake.core.files import read_text
from nasmake.core.records import BestNetwork, Estimate, read_best
from nasmake.core.yaml_text import parse_yaml
from nasmake.report.compute import compute_of, total_seconds
from nasmake.report.intervals import difference
from nasmake.report.style import BLUE, LIGHTEST, RED, WIDTH, key

NOT_COMPARED = frozenset({"run", "environment.result_dir"})
ABSENT = "-"
ROW = 0.3  # inches of a run in the figure


@dataclass(frozen=True)
class ComparedRun:
    """One run of a comparison.

    Attributes:
        folder: folder of its results, as the user named it.
        settings: the value of each key of its configuration, by dotted key.
        best: its best network; None if the run is unfinished or damaged.
        problem: why there is no best network; empty if there is one.
        seconds: wall time of all its jobs, one after another; earlier attempts of a job are not counted.
    """

    folder: Path
    settings: Mapping[str, Any]
    best: BestNetwork | None
    problem: str
    seconds: float


def read_run(folder: Path) -> ComparedRun:
    """Read the folder of a run.

    Raises:
        InputError: the folder is no run that was started.
    """
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder}: no config.yaml; expected the folder of a run that was started")
    settings: dict[str, Any] = {}
    best, problem, seconds = None, "", 0.0
    try:
        raw = parse_yaml(read_text(folder / "config.yaml"), f"{folder}/config.yaml")
        config = load(raw)
        settings = dict(_flat(config.model_dump(mode="json")))
        seconds = total_seconds(compute_of(folder, config.optimize.trial_number, config.final.seeds))
        if (folder / "study" / "best.json").is_file():
            best = read_best(folder / "study" / "best.json")
        else:
            ended = len([*folder.glob("trial-*/result.json")])
            problem = f"unfinished: {ended} of {settings.get('optimize.trial_number', '?')} trials have a result"
    except InputError as error:
        problem = f"damaged: {error}"
    return ComparedRun(folder, settings, best, problem, seconds)


def comparison(runs: Sequence[ComparedRun]) -> list[str]:
    """Return the comparison as lines of text: a table, differences of test accuracy, and settings that differ."""
    name = max(len("run"), *(len(str(run.folder)) for run in runs))
    head = f"{'run':<{name}}  {'val':>6}  {'interval':>14}  {'test':>6}  {'interval':>14}  {'parameters':>10}  "
    lines = [f"{head}{'MACs':>13}  {'seconds':>9}"]
    lines += [f"{run.folder!s:<{name}}  {_row(run)}" for run in runs]
    return [*lines, "", *_notes(runs), *_differences(runs)]


def _row(run: ComparedRun) -> str:
    if run.best is None:
        return run.problem
    best = run.best
    accuracies = (best.val_accuracy, best.val_interval), (best.test_accuracy, best.test_interval)
    cells = [cell for accuracy, interval in accuracies for cell in _accuracy(accuracy, interval)]
    return "  ".join([*cells, f"{best.parameters:>10,}", f"{best.macs:>13,}", f"{run.seconds:>9,.0f}"])


def _accuracy(accuracy: float | None, interval: Estimate | None) -> list[str]:
    limits = ABSENT if interval is None else f"{interval.low:.4f}..{interval.high:.4f}"
    return [f"{ABSENT if accuracy is None else f'{accuracy:.4f}':>6}", f"{limits:>14}"]


def _notes(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Yield what the table leaves out, and the difference of each test accuracy from that of the first tested run."""
    yield "intervals: 95 %, for the number of images only; training with another seed can change more"
    yield "seconds: wall time of all jobs, one after another, without attempts that were stopped"
    for run in runs:
        if run.best is not None and (repeats := run.best.final_seeds):
            spread = f"standard deviation {repeats.standard_deviation:.4f}"
            yield f"{run.folder}: test {repeats.mean:.4f}, {spread} of {len(repeats.test_accuracies)} final trainings"
    tested = [(run.folder, run.best) for run in runs if run.best is not None and run.best.test_n]
    for folder, best in tested[1:]:
        reference, first = tested[0]
        if best.test_n != first.test_n:
            yield f"{folder}: tested on {best.test_n} images, {reference} on {first.test_n}"
        elif over := difference(best.test_accuracy, first.test_accuracy, best.test_n):
            yield f"{folder} minus {reference}: test {over.value:+.4f} ({over.low:+.4f}..{over.high:+.4f})"


def _differences(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Yield the settings that differ, one key per line with the value of each run."""
    known = [run for run in runs if run.settings]
    keys = sorted({key for run in known for key in run.settings} - NOT_COMPARED)
    values = {key: [run.settings.get(key, ABSENT) for run in known] for key in keys}
    rows = {key: [*map(shown, row)] for key, row in values.items() if any(value != row[0] for value in row)}
    if any(key.startswith("dataset.") for key in rows):
        yield "the data differ (see dataset.* below), so accuracies are not those of the same images"
    yield ""
    if not rows:
        yield "settings: no difference"
        return
    table = [["settings that differ", *(str(run.folder) for run in known)], *([key, *rows[key]] for key in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a configuration by dotted key; a hyperparameter of the study has its name as key."""
    for name, value in content.items():
        if f"{prefix}{name}" == "optimize.parameters":
            value = {parameter["name"]: _without_nothing(parameter) for parameter in value}
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _without_nothing(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameter.items() if key != "name" and value not in (None, {})}


def figure_of(runs: Sequence[ComparedRun]) -> Figure:
    """Draw val and test accuracy of the finished runs with their intervals, and accuracy against MACs.

    Raises:
        InputError: no run has a best network.
    """
    finished = [(run.folder, run.best) for run in runs if run.best is not None]
    if not finished:
        raise InputError("--output: no run is finished, so there is nothing to draw; give a run with study/best.json")
    figure = Figure(figsize=(WIDTH, 1.6 + 2 * ROW * max(4, len(finished))), layout="constrained")
    rows, costs = figure.subplots(2, 1)
    for place, (folder, best) in enumerate(finished):
        val, test = _percents(best.val_accuracy, best.val_interval), _percents(best.test_accuracy, best.test_interval)
        for point, colour, shift in ((val, BLUE, -0.12), (test, RED, 0.12)):
            rows.errorbar(point[0], [place + shift] * len(point[0]), xerr=point[1], fmt="o", color=colour, capsize=2)
        accuracy, arms = test if test[0] else val
        style = {"fmt": "o", "color": colormaps["viridis"](LIGHTEST * place / max(1, len(finished) - 1)), "capsize": 2}
        costs.errorbar([best.macs], accuracy, yerr=arms, label=_plain(folder), **style)
    rows.set_yticks(range(len(finished)), [_plain(folder) for folder, _ in finished])
    rows.set(xlabel="accuracy in %, with 95 % interval for the number of images", ylim=(len(finished) - 0.5, -0.5))
    beside = {"bbox_to_anchor": (1.01, 1.0), "loc": "upper left"}
    rows.legend(handles=[key("val", color=BLUE, marker="o"), key("test", color=RED, marker="o")], **beside)
    costs.set(xlabel="MACs", ylabel="accuracy in % (test, else val)")
    costs.xaxis.set_major_formatter(EngFormatter())
    costs.legend(**beside)
    return figure


def _plain(folder: Path) -> str:
    """Return the folder as text that matplotlib does not take for mathematics."""
    return str(folder).replace("$", r"\$")


def _percents(accuracy: float | None, interval: Estimate | None) -> tuple[list[float], list[list[float]] | None]:
    """Return an accuracy in percent, and how far its interval reaches below and above; nothing without an accuracy."""
    if accuracy is None:
        return [], None
    if interval is None:
        return [100 * accuracy], None
    return [100 * accuracy], [[100 * (accuracy - interval.low)], [100 * (interval.high - accuracy)]]
