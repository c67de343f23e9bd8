"""Figures of a finished run as SVG: equal runs give equal bytes."""

import math
import warnings
from collections.abc import Callable, Mapping
from itertools import zip_longest

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from nasmake.core.records import COMPLETE, SHARED, trial_number
from nasmake.report import search_figures as search_plots
from nasmake.report.network_figure import draw_network
from nasmake.report.results import StudyResults, percent
from nasmake.report.style import (
    BLUE,
    GREY,
    RED,
    THICK,
    THIN,
    WIDTH,
    Style,
    add_trial_colours,
    having,
    key,
    line_of,
    numbers,
    one_axes,
    percents,
    promoted_last,
    whole_numbers,
)
from nasmake.search_spaces import Architecture
from nasmake.study.journal import in_memory

RING: Style = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "color": "black", "markeredgewidth": 0.8}
# The best quarter is compared with all. In 40 simulated studies of 15 trials it named the decisive one of three
# parameters 40 times, Optuna's default, the best tenth, 29 times; from 4 trials both did 17 times, from 6 a quarter 28.
IMPORTANCE_QUANTILE, IMPORTANCE_MINIMUM = 0.25, 6
COSTS = {"macs": "MACs (multiply-adds per image)", "parameters": "parameters", "latency_ms": "latency (ms)"}
# Stage, title, column, and what the column holds.
PANELS = (
    ("train_supernet", "Supernet training: sampled paths", "train_accuracy", "train accuracy (%)"),
    ("search_architecture", "Architecture search: best so far", "best_val_accuracy", "val accuracy (%)"),
    ("retrain", "Retraining from scratch on train", "val_accuracy", "val accuracy (%)"),
    ("retrain_final", "Final training on train and val", "train_accuracy", "train accuracy (%)"),
)


def study(results: StudyResults) -> Figure:
    """Objective by trial, with the best so far; trials without an objective lie on the axis. Of two, their front."""
    if results.front:
        return _study_of_two(results)
    figure, axes = one_axes(2.8)
    done = results.completed
    order, values = [trial["trial"] for trial in done], percents(done, "val_accuracy")
    best = [max(values[: index + 1]) for index in range(len(values))]
    end = len(results.trials) - 1
    axes.step([*order, end], [*best, best[-1]], where="post", color=GREY, label="best so far")
    axes.plot(order, values, "o", color=BLUE, markersize=4, label="completed", gid="completed")
    rings = [place for place in zip(order, values, strict=True) if place[0] in results.promoted]
    axes.plot(*zip(*rings, strict=True), linestyle="", clip_on=False, **RING, label="promoted", gid="promoted")
    lost = [trial["trial"] for trial in results.trials if trial["state"] != COMPLETE]
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
    whole_numbers(axes)
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def _study_of_two(results: StudyResults) -> Figure:
    """Val accuracy against the cost of every completed trial, and the front."""
    figure, axes = one_axes(3.2)
    cost = results.optimize.objectives[1]
    ahead = [results.trials[trial] for trial in reversed(results.front)]
    chosen = [results.trials[trial] for trial in results.promoted]
    axes.step(numbers(ahead, cost), percents(ahead, "val_accuracy"), where="post", color=GREY, label="Pareto front")
    axes.plot(numbers(ahead, cost), percents(ahead, "val_accuracy"), "D", color=GREY, markersize=6, gid="front")
    done, rings = results.completed, {"linestyle": "", "clip_on": False, **RING}
    axes.plot(
        numbers(done, cost),
        percents(done, "val_accuracy"),
        "o",
        color=BLUE,
        markersize=4,
        label="trial",
        gid="completed",
    )
    axes.plot(numbers(chosen, cost), percents(chosen, "val_accuracy"), **rings, label="promoted", gid="promoted")
    axes.set(xlabel=COSTS[cost], ylabel="val accuracy (%)")
    axes.xaxis.set_major_formatter(EngFormatter())
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def importances(results: StudyResults) -> Figure:
    """Importance of each searched parameter, or in words why there is none to show."""
    shares = importance_of(results)
    if isinstance(shares, str):
        figure, axes = one_axes(1.2)
        axes.axis("off")
        axes.text(0.5, 0.5, shares, ha="center", va="center", gid="explanation")
        return figure
    figure, axes = one_axes(0.8 + 0.25 * len(shares))
    names = sorted(shares, key=lambda name: (shares[name], name))
    bars = axes.barh(names, [shares[name] for name in names], height=0.6, color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlim=(0, 1), xlabel=f"importance (sums to 1; {len(results.completed)} completed trials)")
    axes.tick_params(axis="y", length=0)
    return figure


def importance_of(results: StudyResults) -> dict[str, float] | str:
    """PED-ANOVA shares of the parameters that every trial samples, or in words why there are none."""
    values = [trial["value"] for trial in results.completed]
    if len(results.optimize.parameters) < 2:
        return "With fewer than two searched parameters there is nothing to rank."
    ranked = results.always_sampled
    if len(ranked) < 2:
        return "With fewer than two parameters that every completed trial samples there is nothing to rank."
    if len(values) < IMPORTANCE_MINIMUM:
        return f"{len(values)} completed trials are too few to rank parameters: it takes {IMPORTANCE_MINIMUM}."
    if len(set(values)) == 1:
        return "All completed trials have the same val accuracy, so there is nothing to rank."
    evaluator = PedAnovaImportanceEvaluator(target_quantile=IMPORTANCE_QUANTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns that low targets count as good, which is why ours is negated
        study = in_memory(results.optimize, results.completed)
        return get_param_importances(study, evaluator=evaluator, params=ranked, target=_negated_value)


def learning_curves(results: StudyResults) -> Figure:
    """One panel per stage that is trained or searched, one line per unit."""
    panels = [panel for panel in PANELS if panel[0] in results.histories]
    lines = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(WIDTH, 2.3 * lines), layout="constrained")
    for axes, panel in zip_longest(figure.subplots(lines, 2, squeeze=False).flat, panels):
        if panel is None:
            axes.remove()
        else:
            _draw_stage(axes, results, *panel)
    handles = [key("promoted trial", linewidth=THICK), key("other trial", linewidth=THIN)]
    if any(SHARED in units for units in results.histories.values()):
        handles.append(key("shared by all trials", color="black"))
    if len(results.completed) < len(results.trials):
        handles.append(key("diverged", linestyle="", marker="x"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    add_trial_colours(figure, results)
    return figure


def architecture(results: StudyResults, channels: int, size: int) -> Figure:
    """The best network, for images of `size` x `size` pixels with `channels` channels."""
    found, best = results.best_architecture, results.best
    spec = Architecture.from_json(found, "architecture.json").spec
    name = found.get("space") or found.get("name") or "architecture"
    costs = f"{_short(best['parameters'])} parameters, {_short(best['macs'])} MACs"
    scores = f"val accuracy {percent(best['val_accuracy'])}"
    if best["test_accuracy"] is not None:
        scores += f", test accuracy {percent(best['test_accuracy'])} (n = {best['test_n']:,})"
    return draw_network(spec, channels, size, f"{name}, trial {best['trial']}: {costs}\n{scores}")


FIGURES: Mapping[str, Callable[[StudyResults], Figure]] = {
    "study": study,
    "importances": importances,
    "learning_curves": learning_curves,
}


def figures_of(results: StudyResults) -> Mapping[str, Callable[[StudyResults], Figure]]:
    """The figures that there is something to draw for."""
    return {**FIGURES, **(search_plots.FIGURES if results.evaluations else {})}


def _draw_stage(axes: Axes, results: StudyResults, stage: str, title: str, column: str, label: str) -> None:
    units = results.histories[stage]
    for unit in promoted_last(units, results):
        rows, trial = having(units[unit], column), trial_number(unit)
        style = line_of(unit, len(rows), results)
        epochs, values = numbers(rows, "epoch"), percents(rows, column)
        axes.plot(epochs, values, **style, gid=f"{stage}-{unit}")
        if trial is not None and results.trials[trial].get("reason", "").startswith(f"{stage}:"):
            axes.plot(epochs[-1:], values[-1:], "x", color=style["color"], gid=f"{stage}-{unit}-pruned")
    axes.set(title=title, xlabel="epoch", ylabel=label)
    whole_numbers(axes)


def _short(number: int) -> str:
    return EngFormatter(places=2)(number)


def _negated_value(trial: FrozenTrial) -> float:
    return -float(trial.values[0])
