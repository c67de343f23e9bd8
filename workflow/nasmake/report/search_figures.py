"""Figures of the architecture searches of a run: trade-off, progress and probabilities. No torch here.

Callers convert a figure to SVG with nasmake.report.style.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, compress, groupby

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

CROWD = 5000  # a scatter plot of more points is stored as an image
STAR: Style = {"marker": "*", "markersize": 8, "markeredgecolor": "black", "markeredgewidth": 0.6}
BEST_STAR: Style = STAR | {"markersize": 14, "color": RED}
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.5))  # lines of the random baseline, and of scores before recalibration
ROW_HEIGHT = 0.15  # inches; one row of the heat map
STAGE = "search_architecture"
COSTS = {"macs": "MACs (multiply-adds per image)", "latency_ms": "latency (ms)"}  # label of the axis, by column
# Title, label of the vertical axis, column of the solid line, and column of the dotted line.
PANELS = (
    ("Front of val loss and MACs", "hypervolume", "hypervolume", None),
    ("Leading network and recalibration", "val accuracy (%)", "best_val_accuracy", "uncalibrated_val_accuracy"),
    ("Entropy of a decision", "nats", "entropy", None),
    ("Largest probability of a decision", "probability", "max_probability", None),
    ("What divides the steps of ASNG", "Delta", "Delta", None),
    ("What adapts the steps of ASNG", "signal-to-noise ratio", "snr", None),
)


def tradeoff(results: StudyResults) -> Figure:
    """Draw val accuracy of every evaluated architecture against its costs, the searches' results and Pareto fronts."""
    evaluated, random = _all_of(results.evaluations), _all_of(results.random_evaluations)
    costs = [cost for cost in COSTS if having(evaluated, cost)]
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    complete = {unit: network for unit, network in results.architectures.items() if network["state"] == COMPLETE}
    stars = [(network, STAR | {"color": colour_of(unit, results)}, unit) for unit, network in complete.items()]
    if results.best_architecture is not None:
        stars.append((results.best_architecture, BEST_STAR, "best"))
    fronts: list[tuple[str, Rows, Style]] = [("Pareto front", evaluated, {"linestyle": "-"})]
    fronts += [("front of the random baseline", random, {"linestyle": DASHED})] if random else []
    for axes, cost in zip(panels, costs, strict=True):
        _draw_evaluations(axes, results, cost)
        for name, rows, style in fronts:
            steps = pareto_front(rows, cost)
            steps.append((max(numbers(evaluated + random, cost)), steps[-1][1]))
            line: Style = {"linewidth": THIN, "color": "black", "gid": f"front: {name}"} | style
            axes.step(*zip(*steps, strict=True), where="post", **line)
        for network, style, name in stars:
            axes.plot([network[cost]], [100 * network["scores"]["val_accuracy"]], **style, gid=f"chosen-{name}")
        axes.set_xlabel(COSTS[cost])
        axes.xaxis.set_major_formatter(EngFormatter())
    panels[0].set_ylabel("val accuracy with inherited weights (%)")
    reference = next((reference_of(network["scores"]) for network in complete.values()), None)
    shares = {name: f", hypervolume {covered(rows, reference):.3f}" for name, rows, _ in fronts if reference}
    handles = [
        key("evaluated", linestyle="", marker="o", markersize=3),
        *([key("chosen in a trial", linestyle="", **STAR)] if len(complete) > 1 else []),
        *([key("chosen in the best trial", linestyle="", **BEST_STAR)] if results.best_architecture else []),
        *(key(f"{name}{shares.get(name, '')}", linewidth=THIN, color="black", **style) for name, _, style in fronts),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    if SHARED not in results.evaluations:
        add_trial_colours(figure, results)
    return figure


def _draw_evaluations(axes: Axes, results: StudyResults, cost: str) -> None:
    """Draw a point for every evaluated architecture."""
    count = len(_all_of(results.evaluations))
    points: Style = {"s": 10, "alpha": 0.7, "linewidths": 0, "rasterized": count > CROWD}
    for unit, rows in results.evaluations.items():
        accuracies, colour = percents(rows, "val_accuracy"), colour_of(unit, results)
        axes.scatter(numbers(rows, cost), accuracies, color=colour, gid=f"evaluated-{unit}", **points)


def search_progress(results: StudyResults) -> Figure:
    """Draw the best val loss so far of each search and of its random baseline, and the diagnostics of the search."""
    searches = results.histories[STAGE]
    known = {column for rows in searches.values() for row in rows[-1:] for column, value in row.items() if value}
    panels = [panel for panel in PANELS if panel[2] in known]
    lines = -(-(len(panels) + 1) // 2)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.0 * lines), layout="constrained")
    first, *others = figure.subplots(lines, 2).flat
    for rows_of_unit, kind, style in (
        (results.evaluations, "search", {}),
        (results.random_evaluations, "random", {"linestyle": DASHED}),
    ):
        for unit in promoted_last(rows_of_unit, results):
            losses = list(accumulate(numbers(rows_of_unit[unit], "val_loss"), min))
            evaluated = range(1, len(losses) + 1)
            first.plot(evaluated, losses, gid=f"{kind}-{unit}", **line_of(unit, len(losses), results) | style)
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
    """Draw the probability of every choice of every decision by epoch, in the search of the best trial."""
    by_epoch = [list(rows) for _, rows in groupby(results.probabilities, key=lambda row: row["epoch"])]
    first, epochs = by_epoch[0], len(by_epoch)
    values = list(zip(*(numbers(rows, "probability") for rows in by_epoch), strict=True))
    figure, axes = one_axes(1.0 + ROW_HEIGHT * len(first))
    extent = (0.5, epochs + 0.5, len(first) - 0.5, -0.5)
    style: Style = {"aspect": "auto", "interpolation": "nearest", "cmap": "Blues", "vmin": 0, "vmax": 1}
    image = axes.imshow(values, extent=extent, **style)
    choices = [row["choice"].replace("op=", "").replace("_", " ").replace("=", " ") for row in first]
    names = [f"{row['decision']}: {choice}" for row, choice in zip(first, choices, strict=True)]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    starts = [index for index, row in enumerate(first) if index and row["decision"] != first[index - 1]["decision"]]
    axes.hlines([index - 0.5 for index in starts], 0.5, epochs + 0.5, color="black", linewidth=0.4)
    axes.set(xlabel="epoch", xlim=(0.5, epochs + 0.5))
    whole_numbers(axes)
    bar = figure.colorbar(image, ax=axes, location="top", label="probability", shrink=0.5, aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    return figure


def pareto_front(rows: Rows, cost: str = "macs") -> list[tuple[float, float]]:
    """Return (cost, val accuracy in %) of the networks on the Pareto front, by rising cost."""
    points = list(zip(numbers(rows, cost), percents(rows, "val_accuracy"), strict=True))
    return sorted(set(compress(points, non_dominated([(spent, -accuracy) for spent, accuracy in points]))))


def reference_of(scores: Mapping[str, float]) -> Reference:
    """Return the reference point of the hypervolume: the error rate of guessing, and the MACs of the costliest network.

    Args:
        scores: of an architecture.json; `reference_val_loss` is ln of the number of classes.
    """
    return Reference(1 - math.exp(-scores["reference_val_loss"]), scores["reference_macs"])


def covered(rows: Rows, reference: Reference) -> float:
    """Return the hypervolume of evaluated networks in the plane of error rate and MACs, as a share 0..1."""
    errors = [1 - accuracy for accuracy in numbers(rows, "val_accuracy")]
    return hypervolume(zip(errors, numbers(rows, "macs"), strict=True), reference)


FIGURES: Mapping[str, Callable[[StudyResults], Figure]] = {
    "tradeoff": tradeoff,
    "search_progress": search_progress,
    "probabilities": probabilities,
}


def _draw_columns(axes: Axes, results: StudyResults, columns: Sequence[str]) -> None:
    """Draw the columns by epoch, with one line per unit. The line of the second column is dotted."""
    searches = results.histories[STAGE]
    for unit in promoted_last(searches, results):
        for column, style in zip(columns, ({}, {"linestyle": DOTTED}), strict=False):
            rows = having(searches[unit], column)
            line = line_of(unit, len(rows), results) | style
            values = percents(rows, column) if column.endswith("_accuracy") else numbers(rows, column)
            axes.plot(numbers(rows, "epoch"), values, gid=f"{column}-{unit}", **line)
    whole_numbers(axes)


def _all_of(units: Mapping[str, Iterable[dict[str, str]]]) -> Rows:
    return [row for rows in units.values() for row in rows]
