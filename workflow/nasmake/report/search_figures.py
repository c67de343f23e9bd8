"""Figures of the architecture searches of a finished run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, compress, groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from nasmake.core.pareto import Reference, hypervolume, non_dominated
from nasmake.core.records import COMPLETE, SHARED
from nasmake.report.results import Rows, StudyResults
from nasmake.report.style import (
    RED,
    THIN,
    WIDTH,
    Style,
    add_trial_colours,
    colour_of,
    having,
    key,
    keys_of_lines,
    line_of,
    numbers,
    one_axes,
    percents,
    promoted_last,
    whole_numbers,
)

CROWD = 5000  # points above which a scatter plot is stored as an image
STAR: Style = {"marker": "*", "markersize": 8, "markeredgecolor": "black", "markeredgewidth": 0.6}
BEST_STAR: Style = STAR | {"markersize": 14, "color": RED}
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.5))  # a random baseline; before recalibration
ROW_HEIGHT = 0.125  # inches, of the heat map
STAGE = "search_architecture"
# Title, what the axis says, the column of a line, and that of a dotted one.
PANELS = (
    ("Front of val loss and MACs", "hypervolume", "hypervolume", None),
    ("Best network, after and before recalibration", "val accuracy", "best_val_accuracy", "uncalibrated_val_accuracy"),
    ("Entropy of a decision", "nats", "entropy", None),
    ("Largest probability of a decision", "probability", "max_probability", None),
    ("What divides the steps of ASNG", "Delta", "Delta", None),
    ("What adapts the steps of ASNG", "signal-to-noise ratio", "snr", None),
)


def tradeoff(results: StudyResults) -> Figure:
    """Val accuracy against MACs of every evaluated architecture, with the chosen ones and the Pareto fronts."""
    figure, axes = one_axes(3.6)
    evaluated, compared = _all_of(results.evaluations), _all_of(results.random_evaluations)
    points: Style = {"s": 10, "alpha": 0.7, "linewidths": 0, "rasterized": len(evaluated) > CROWD}
    for unit, rows in results.evaluations.items():
        place = numbers(rows, "macs"), percents(rows, "val_accuracy")
        axes.scatter(*place, color=colour_of(unit, results), gid=f"evaluated-{unit}", **points)
    fronts: list[tuple[str, Rows, Style]] = [("Pareto front", evaluated, {"linestyle": "-"})]
    fronts += [("front of the random baseline", compared, {"linestyle": DASHED})] if compared else []
    for name, rows, style in fronts:
        _draw_front(axes, rows, max(numbers(evaluated + compared, "macs")), gid=f"front: {name}", **style)
    chosen = {unit: found for unit, found in results.architectures.items() if found["state"] == COMPLETE}
    for unit, found in chosen.items():
        place = [found["macs"]], [100 * found["scores"]["val_accuracy"]]
        axes.plot(*place, **STAR, color=colour_of(unit, results), gid=f"chosen-{unit}")
    found = results.best_architecture
    axes.plot([found["macs"]], [100 * found["scores"]["val_accuracy"]], **BEST_STAR, gid="chosen-best")
    axes.set(xlabel="MACs (multiply-adds per image)", ylabel="val accuracy with inherited weights (%)")
    axes.xaxis.set_major_formatter(EngFormatter())
    scores = results.best_architecture["scores"]
    reference = Reference(scores["reference_val_loss"], scores["reference_macs"])
    handles = [
        key("evaluated", linestyle="", marker="o", markersize=3),
        *([key("chosen in a trial", linestyle="", **STAR)] if len(chosen) > 1 else []),
        key("chosen in the best trial", linestyle="", **BEST_STAR),
        *(
            key(f"{name}, hypervolume {covered(rows, reference):.3f}", linewidth=THIN, color="black", **style)
            for name, rows, style in fronts
        ),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    if SHARED not in results.evaluations:
        add_trial_colours(figure, results)
    return figure


def search_progress(results: StudyResults) -> Figure:
    """How each search went: the best val loss so far beside that of its random baseline, and its diagnostics."""
    searches = results.histories[STAGE]
    known = {column for rows in searches.values() for row in rows[-1:] for column, value in row.items() if value}
    panels = [panel for panel in PANELS if panel[2] in known]
    lines = -(-(len(panels) + 1) // 2)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.0 * lines), layout="constrained")
    first, *others = figure.subplots(lines, 2).flat
    for own, kind, style in (
        (results.evaluations, "search", {}),
        (results.random_evaluations, "random", {"linestyle": DASHED}),
    ):
        for unit in promoted_last(own, results):
            losses = _best_so_far(own[unit])
            places = range(1, len(losses) + 1)
            first.plot(places, losses, gid=f"{kind}-{unit}", **line_of(unit, len(losses), results) | style)
    first.set(title="Best val loss so far", xlabel="networks evaluated", ylabel="val loss")
    whole_numbers(first)
    for axes, (title, label, *columns) in zip(others, panels, strict=False):
        _draw_columns(axes, results, [column for column in columns if column])
        axes.set(title=title, xlabel="epoch", ylabel=label)
    for axes in others[len(panels) :]:
        axes.axis("off")
    handles = keys_of_lines(searches, results)
    handles += [key("random baseline", linestyle=DASHED)] if _all_of(results.random_evaluations) else []
    figure.legend(
        handles=[*handles, key("before recalibration", linestyle=DOTTED)], loc="outside upper center", ncols=4
    )
    if SHARED not in searches:
        add_trial_colours(figure, results)
    return figure


def probabilities(results: StudyResults) -> Figure:
    """Probability of every choice of every decision over the epochs, in the search of the best trial."""
    by_epoch = [list(rows) for _, rows in groupby(results.probabilities, key=lambda row: row["epoch"])]
    first, epochs = by_epoch[0], len(by_epoch)
    values = list(zip(*(numbers(rows, "probability") for rows in by_epoch), strict=True))
    figure, axes = one_axes(1.0 + ROW_HEIGHT * len(first))
    extent = (0.5, epochs + 0.5, len(first) - 0.5, -0.5)
    style: Style = {"aspect": "auto", "interpolation": "nearest", "cmap": "Blues", "vmin": 0, "vmax": 1}
    image = axes.imshow(values, extent=extent, **style)
    names = [f"{row['decision']}: {_readable(row['choice'])}" for row in first]
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.tick_params(axis="y", length=0)
    starts = [index for index, row in enumerate(first) if index and row["decision"] != first[index - 1]["decision"]]
    axes.hlines([index - 0.5 for index in starts], 0.5, epochs + 0.5, color="black", linewidth=0.4)
    axes.set(xlabel="epoch", xlim=(0.5, epochs + 0.5))
    whole_numbers(axes)
    bar = figure.colorbar(image, ax=axes, location="top", label="probability", shrink=0.5, aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    return figure


def pareto_front(rows: Rows) -> list[tuple[float, float]]:
    """(MACs, val accuracy in %) of the rows that none beats in both, by rising MACs."""
    points = list(zip(numbers(rows, "macs"), percents(rows, "val_accuracy"), strict=True))
    return sorted(set(compress(points, non_dominated([(macs, -accuracy) for macs, accuracy in points]))))


def covered(rows: Rows, reference: Reference) -> float:
    """The hypervolume of evaluated networks."""
    return hypervolume(zip(numbers(rows, "val_loss"), numbers(rows, "macs"), strict=True), reference)


FIGURES: Mapping[str, Callable[[StudyResults], Figure]] = {
    "tradeoff": tradeoff,
    "search_progress": search_progress,
    "probabilities": probabilities,
}


def _draw_front(axes: Axes, rows: Rows, end: float, **style: Any) -> None:
    front = pareto_front(rows)
    front.append((end, front[-1][1]))
    axes.step(*zip(*front, strict=True), where="post", linewidth=THIN, color="black", **style)


def _draw_columns(axes: Axes, results: StudyResults, columns: Sequence[str]) -> None:
    """One line per unit, a second one dotted."""
    searches = results.histories[STAGE]
    for unit in promoted_last(searches, results):
        for column, style in zip(columns, ({}, {"linestyle": DOTTED}), strict=False):
            rows = having(searches[unit], column)
            line = line_of(unit, len(rows), results) | style
            axes.plot(numbers(rows, "epoch"), numbers(rows, column), gid=f"{column}-{unit}", **line)
    whole_numbers(axes)


def _best_so_far(rows: Rows) -> list[float]:
    return list(accumulate(numbers(rows, "val_loss"), min))


def _all_of(units: Mapping[str, Iterable[dict[str, str]]]) -> Rows:
    return [row for rows in units.values() for row in rows]


def _readable(choice: str) -> str:
    """Such as `mbconv kernel 3 expand 6`."""
    return choice.replace("op=", "").replace("_", " ").replace("=", " ")
