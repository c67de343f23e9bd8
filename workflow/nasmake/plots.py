"""Figures of a finished run as SVG: equal runs give equal bytes.

Trials are told apart by a colour map that is also ordered in grey; promoted ones by thicker lines or larger marks.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from nasmake.drawing import draw_network
from nasmake.findings import SHARED, Findings, Rows, percent, trial_of
from nasmake.job import COMPLETE
from nasmake.search_spaces import Architecture
from nasmake.study import in_memory

Style = dict[str, Any]

BLUE, RED, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe and Ito's
WIDTH = 6.5  # inches: the text of a page
THIN, THICK = 0.7, 2.0
LIGHTEST = 0.9  # of the colour map: its last tenth is hard to see on white
CLEAR = 20  # curves up to which all are opaque; of more, only the promoted ones
FEW = 10  # points up to which a line shows each
CROWD = 5000  # points above which a scatter plot is stored as an image
STAR: Style = {"marker": "*", "markersize": 8, "markeredgecolor": "black", "markeredgewidth": 0.6}
BEST_STAR: Style = STAR | {"markersize": 14, "color": RED}
RING: Style = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "color": "black", "markeredgewidth": 0.8}

# The best quarter is compared with all. In 40 simulated studies of 15 trials it named the decisive one of three
# parameters 40 times, Optuna's default, the best tenth, 29 times; from 4 trials both did 17 times, from 6 a quarter 28.
IMPORTANCE_QUANTILE, IMPORTANCE_MINIMUM = 0.25, 6

COSTS = {"macs": "MACs (multiply-adds per image)", "parameters": "parameters", "latency_ms": "latency (ms)"}

# Stage, title, what a row stands for, column, and what the column holds.
PANELS = (
    ("train_supernet", "Supernet training: sampled paths", "epoch", "train_accuracy", "train accuracy (%)"),
    (
        "search_architecture",
        "Architecture search: best by val loss",
        "generation",
        "best_val_accuracy",
        "val accuracy (%)",
    ),
    ("retrain", "Retraining from scratch on train", "epoch", "val_accuracy", "val accuracy (%)"),
    ("retrain_final", "Final training on train and val", "epoch", "train_accuracy", "train accuracy (%)"),
)


def study(findings: Findings) -> Figure:
    """Objective by trial, with the best so far; trials without an objective lie on the axis. Of two, their front."""
    if findings.front:
        return _study_of_two(findings)
    figure, axes = _one_axes(2.8)
    done = findings.completed
    numbers, values = [trial["trial"] for trial in done], _percents(done, "val_accuracy")
    best = [max(values[: index + 1]) for index in range(len(values))]
    end = len(findings.trials) - 1
    axes.step([*numbers, end], [*best, best[-1]], where="post", color=GREY, label="best so far")
    axes.plot(numbers, values, "o", color=BLUE, markersize=4, label="completed", gid="completed")
    rings = [place for place in zip(numbers, values, strict=True) if place[0] in findings.promoted]
    axes.plot(*zip(*rings, strict=True), linestyle="", clip_on=False, **RING, label="promoted", gid="promoted")
    lost = [trial["trial"] for trial in findings.trials if trial["state"] != COMPLETE]
    if lost:
        on_the_axis: Style = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(
            lost,
            [0.0] * len(lost),
            "x",
            **on_the_axis,
            color=RED,
            label="diverged or pruned: no objective",
            gid="pruned",
        )
    axes.set(xlabel="trial", ylabel="val accuracy (%)", xlim=(-0.5, end + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def _study_of_two(findings: Findings) -> Figure:
    """Val accuracy against the cost of every completed trial, and the front."""
    figure, axes = _one_axes(3.2)
    cost = findings.optimize.objectives[1]
    ahead = [findings.trials[trial] for trial in reversed(findings.front)]
    chosen = [findings.trials[trial] for trial in findings.promoted]
    axes.step(_numbers(ahead, cost), _percents(ahead, "val_accuracy"), where="post", color=GREY, label="Pareto front")
    axes.plot(_numbers(ahead, cost), _percents(ahead, "val_accuracy"), "D", color=GREY, markersize=6, gid="front")
    done, rings = findings.completed, {"linestyle": "", "clip_on": False, **RING}
    axes.plot(
        _numbers(done, cost),
        _percents(done, "val_accuracy"),
        "o",
        color=BLUE,
        markersize=4,
        label="trial",
        gid="completed",
    )
    axes.plot(_numbers(chosen, cost), _percents(chosen, "val_accuracy"), **rings, label="promoted", gid="promoted")
    axes.set(xlabel=COSTS[cost], ylabel="val accuracy (%)")
    axes.xaxis.set_major_formatter(EngFormatter())
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def importances(findings: Findings) -> Figure:
    """Importance of each searched parameter, or in words why there is none to show."""
    shares = importance_of(findings)
    if isinstance(shares, str):
        figure, axes = _one_axes(1.2)
        axes.axis("off")
        axes.text(0.5, 0.5, shares, ha="center", va="center", gid="explanation")
        return figure
    figure, axes = _one_axes(0.8 + 0.25 * len(shares))
    names = sorted(shares, key=lambda name: (shares[name], name))
    bars = axes.barh(names, [shares[name] for name in names], height=0.6, color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlim=(0, 1), xlabel=f"importance (sums to 1; {len(findings.completed)} completed trials)")
    axes.tick_params(axis="y", length=0)
    return figure


def importance_of(findings: Findings) -> dict[str, float] | str:
    """PED-ANOVA shares of the parameters that every trial samples, or in words why there are none."""
    values = [trial["value"] for trial in findings.completed]
    if len(findings.optimize.parameters) < 2:
        return "With fewer than two searched parameters there is nothing to rank."
    ranked = findings.always_sampled
    if len(ranked) < 2:
        return "With fewer than two parameters that every completed trial samples there is nothing to rank."
    if len(values) < IMPORTANCE_MINIMUM:
        return f"{len(values)} completed trials are too few to rank parameters: it takes {IMPORTANCE_MINIMUM}."
    if len(set(values)) == 1:
        return "All completed trials have the same val accuracy, so there is nothing to rank."
    evaluator = PedAnovaImportanceEvaluator(target_quantile=IMPORTANCE_QUANTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns that low targets count as good, which is why ours is negated
        study = in_memory(findings.optimize, findings.completed)
        return get_param_importances(study, evaluator=evaluator, params=ranked, target=_negated_value)


def learning_curves(findings: Findings) -> Figure:
    """One panel per stage that is trained or searched, one line per unit."""
    panels = [panel for panel in PANELS if panel[0] in findings.histories]
    figure = Figure(figsize=(WIDTH, 2.3 * len(panels) / 2), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels) // 2, 2).flat, panels, strict=True):
        _draw_stage(axes, findings, *panel)
    handles = [_key("promoted trial", linewidth=THICK), _key("other trial", linewidth=THIN)]
    if any(SHARED in units for units in findings.histories.values()):
        handles.append(_key("shared by all trials", color="black"))
    if len(findings.completed) < len(findings.trials):
        handles.append(_key("diverged", linestyle="", marker="x"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    _add_trial_colours(figure, findings)
    return figure


def tradeoff(findings: Findings) -> Figure:
    """Val accuracy against MACs of every evaluated architecture, with the chosen ones and the Pareto front."""
    figure, axes = _one_axes(3.6)
    evaluated = [row for rows in findings.evaluations.values() for row in rows]
    points: Style = {"s": 10, "alpha": 0.7, "linewidths": 0, "rasterized": len(evaluated) > CROWD}
    for unit, rows in findings.evaluations.items():
        place = _numbers(rows, "macs"), _percents(rows, "val_accuracy")
        axes.scatter(*place, color=_colour(unit, findings), gid=f"evaluated-{unit}", **points)
    front = pareto_front(evaluated)
    front.append((max(_numbers(evaluated, "macs")), front[-1][1]))
    axes.step(*zip(*front, strict=True), where="post", linewidth=THIN, color="black")
    chosen = {unit: found for unit, found in findings.architectures.items() if found["state"] == COMPLETE}
    for unit, found in chosen.items():
        place = [found["macs"]], [100 * found["scores"]["val_accuracy"]]
        axes.plot(*place, **STAR, color=_colour(unit, findings), gid=f"chosen-{unit}")
    found = findings.best_architecture
    axes.plot([found["macs"]], [100 * found["scores"]["val_accuracy"]], **BEST_STAR, gid="chosen-best")
    axes.set(xlabel="MACs (multiply-adds per image)", ylabel="val accuracy with inherited weights (%)")
    axes.xaxis.set_major_formatter(EngFormatter())
    handles = [
        _key("evaluated", linestyle="", marker="o", markersize=3),
        _key("Pareto front", linewidth=THIN, color="black"),
        *([_key("chosen in a trial", linestyle="", **STAR)] if len(chosen) > 1 else []),
        _key("chosen in the best trial", linestyle="", **BEST_STAR),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    if SHARED not in findings.evaluations:
        _add_trial_colours(figure, findings)
    return figure


def architecture(findings: Findings, channels: int, size: int) -> Figure:
    """The best network, for images of `size` x `size` pixels with `channels` channels."""
    found, best = findings.best_architecture, findings.best
    spec = Architecture.from_json(found, "architecture.json").spec
    name = found.get("space") or found.get("name") or "architecture"
    costs = f"{_short(best['parameters'])} parameters, {_short(best['macs'])} MACs"
    scores = f"val accuracy {percent(best['val_accuracy'])}"
    if best["test_accuracy"] is not None:
        scores += f", test accuracy {percent(best['test_accuracy'])} (n = {best['test_n']:,})"
    return draw_network(spec, channels, size, f"{name}, trial {best['trial']}: {costs}\n{scores}")


def pareto_front(rows: Rows) -> list[tuple[float, float]]:
    """(MACs, val accuracy in %) of the rows that none beats in both, by rising MACs."""
    front: list[tuple[float, float]] = []
    points = zip(_numbers(rows, "macs"), _percents(rows, "val_accuracy"), strict=True)
    for macs, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((macs, accuracy))
    return front


FIGURES: Mapping[str, Callable[[Findings], Figure]] = {
    "study": study,
    "importances": importances,
    "learning_curves": learning_curves,
}
SEARCH_FIGURES: Mapping[str, Callable[[Findings], Figure]] = {"tradeoff": tradeoff}  # where something was searched


def figures_of(findings: Findings) -> Mapping[str, Callable[[Findings], Figure]]:
    """The figures that there is something to draw for."""
    return {**FIGURES, **(SEARCH_FIGURES if findings.evaluations else {})}


def _draw_stage(axes: Axes, findings: Findings, stage: str, title: str, steps: str, column: str, label: str) -> None:
    units = findings.histories[stage]
    for unit in sorted(units, key=lambda unit: (_is_promoted(unit, findings), unit)):  # promoted ones on top
        rows, trial = units[unit], trial_of(unit)
        style: Style = {"color": _colour(unit, findings)} | _weight(unit, findings)
        style |= {"marker": ".", "markersize": 4} if len(rows) <= FEW else {}
        epochs, values = _numbers(rows, "epoch"), _percents(rows, column)
        axes.plot(epochs, values, **style, gid=f"{stage}-{unit}")
        if trial is not None and findings.trials[trial].get("reason", "").startswith(f"{stage}:"):
            axes.plot(epochs[-1:], values[-1:], "x", color=style["color"], gid=f"{stage}-{unit}-pruned")
    axes.set(title=title, xlabel=steps, ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _one_axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _key(label: str, **style: Any) -> Line2D:
    """An entry of a legend."""
    return Line2D([], [], label=label, **{"color": GREY} | style)


def _is_promoted(unit: str, findings: Findings) -> bool:
    return trial_of(unit) in findings.promoted


def _weight(unit: str, findings: Findings) -> Style:
    if unit == SHARED or _is_promoted(unit, findings):
        return {"linewidth": 1.0 if unit == SHARED else THICK}
    return {"linewidth": THIN, "alpha": min(1, CLEAR / len(findings.trials))}


def _colour(unit: str, findings: Findings) -> Any:
    trial = trial_of(unit)
    return "black" if trial is None else _trial_colour(trial, len(findings.trials))


def _trial_colour(trial: int, count: int) -> Any:
    return colormaps["viridis"](LIGHTEST * trial / max(1, count - 1))


def _add_trial_colours(figure: Figure, findings: Findings) -> None:
    """The key to the colours of trials; one trial needs none."""
    count = len(findings.trials)
    if count == 1:
        return
    bounds = [trial - 0.5 for trial in range(count + 1)]
    colour_map = ListedColormap([_trial_colour(trial, count) for trial in range(count)])
    colours = ScalarMappable(BoundaryNorm(bounds, count), colour_map)
    ticks = MaxNLocator(nbins=10, integer=True)
    bar = figure.colorbar(colours, ax=figure.axes, label="trial", ticks=ticks, shrink=0.8, aspect=40, pad=0.02)
    bar.ax.tick_params(length=0)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)


def _short(number: int) -> str:
    return EngFormatter(places=2)(number)


def _negated_value(trial: FrozenTrial) -> float:
    return -float(trial.values[0])


def _numbers(rows: Sequence[Mapping[str, Any]], column: str) -> list[float]:
    return [float(row[column]) for row in rows]


def _percents(rows: Sequence[Mapping[str, Any]], column: str) -> list[float]:
    return [100 * number for number in _numbers(rows, column)]
