"""Figures of a study: objective by trial, hyperparameters, their importance, learning curves, best network.

Figures of the searches are in search_figures. Callers convert a figure to SVG with nasmake.report.style. No torch here.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, zip_longest
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from nasmake.config.study import Parameter
from nasmake.core.errors import shown
from nasmake.core.records import COMPLETE, SHARED, CompletedTrial, trial_number
from nasmake.core.seeding import numpy_generator
from nasmake.report import search_figures as search_plots
from nasmake.report.network_figure import draw_network
from nasmake.report.results import StudyResults, percent
from nasmake.report.style import (
    BLUE,
    GREY,
    LIGHTEST,
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
from nasmake.study.journal import in_memory, observed_trials
from nasmake.study.parameter_space import sampled_parameters

DOT: Style = {"color": BLUE, "markersize": 4}
RING: Style = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "color": "black", "markeredgewidth": 0.8}
RING |= {"linestyle": "", "clip_on": False}
# PED-ANOVA compares the best quarter of the trials with all of them. In 40 simulated studies of 15 trials the best
# quarter named the decisive one of three parameters 40 times. Optuna's default, the best tenth, named it 29 times. In
# studies of 4 trials both named it 17 times; in studies of 6 trials the best quarter named it 28 times.
IMPORTANCE_QUANTILE, IMPORTANCE_MINIMUM = 0.25, 6
PERMUTATIONS = 20  # random studies: the smallest number whose largest value is about the 95 % quantile
COSTS = {"macs": "MACs (multiply-adds per image)", "parameters": "parameters", "latency_ms": "latency (ms)"}
BEST_SO_FAR = "best_val_accuracy"  # drawn as its highest value so far, since the search goes by val loss
# Stage, title, column of its history, label of the vertical axis.
PANELS = (
    ("train_supernet", "Supernet training: sampled paths", "train_accuracy", "train accuracy (%)"),
    ("search_architecture", "Architecture search: best so far", BEST_SO_FAR, "val accuracy (%)"),
    ("retrain", "Retraining from scratch on train", "val_accuracy", "val accuracy (%)"),
    ("retrain_final", "Final training on train and val", "train_accuracy", "train accuracy (%)"),
)


def study(results: StudyResults) -> Figure:
    """Draw the objective by trial and the best so far; with two objectives, both of them and their Pareto front.

    Trials without an objective are crosses on the horizontal axis.
    """
    if results.front:
        return _study_of_two(results)
    figure, axes = one_axes(2.8)
    completed, end = results.completed, results.trials[-1].trial
    order, accuracies = [trial.trial for trial in completed], _percents(completed)
    best = list(accumulate(accuracies, max))
    axes.step([*order, end], [*best, best[-1]], where="post", color=GREY, label="best so far")
    axes.plot(order, accuracies, "o", **DOT, label="completed", gid="completed")
    promoted = [point for point in zip(order, accuracies, strict=True) if point[0] in results.promoted]
    axes.plot(*zip(*promoted, strict=True), **RING, label="promoted", gid="promoted")
    stopped = [trial for trial in results.trials if trial.state != COMPLETE]
    if stopped:
        cross: Style = {"transform": axes.get_xaxis_transform(), "clip_on": False, "color": RED, "gid": "pruned"}
        ways = " or ".join(sorted({trial.outcome for trial in stopped}))
        axes.plot([trial.trial for trial in stopped], [0.0] * len(stopped), "x", **cross, label=f"{ways}: no objective")
    axes.set(xlabel="trial", ylabel="val accuracy (%)", xlim=(-0.5, end + 0.5))
    whole_numbers(axes)
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def _study_of_two(results: StudyResults) -> Figure:
    """Draw val accuracy against the cost of every completed trial, and the Pareto front."""
    figure, axes = one_axes(3.2)
    cost, trials = results.optimize.objectives[1], {trial.trial: trial for trial in results.completed}

    def points(numbers: Iterable[int]) -> tuple[list[float], list[float]]:
        """Return costs, and accuracies in percent."""
        shown = [trials[number] for number in numbers]
        return [getattr(trial, cost) for trial in shown], _percents(shown)

    front = points(reversed(results.front))
    axes.step(*front, where="post", color=GREY, label="Pareto front")
    axes.plot(*front, "D", color=GREY, markersize=6, gid="front")
    axes.plot(*points(trials), "o", **DOT, label="trial", gid="completed")
    axes.plot(*points(results.promoted), **RING, label="promoted", gid="promoted")
    axes.set(xlabel=COSTS[cost], ylabel="val accuracy (%)")
    axes.xaxis.set_major_formatter(EngFormatter())
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def importances(results: StudyResults) -> Figure:
    """Draw the importance of each searched hyperparameter, or write why there is none to show."""
    shares = importance_of(results)
    if isinstance(shares, str):
        figure, axes = one_axes(1.2)
        axes.axis("off")
        axes.text(0.5, 0.5, shares, ha="center", va="center", gid="explanation")
        return figure
    figure, axes = one_axes(1.1 + 0.25 * len(shares))
    names = sorted(shares, key=lambda name: (shares[name], name))
    bars = axes.barh(names, [shares[name] for name in names], height=0.6, color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    chance = importance_by_chance(results)
    axes.plot([chance[name] for name in names], names, "|", color=RED, markersize=14, label="by chance", gid="chance")
    figure.legend(loc="outside upper center")
    axes.set(xlim=(0, 1), xlabel=f"importance (sums to 1; {len(results.completed)} completed trials)")
    axes.tick_params(axis="y", length=0)
    return figure


def importance_of(results: StudyResults) -> dict[str, float] | str:
    """Return the importance of the hyperparameters that every trial sampled; else a sentence why there is none.

    The importances are shares that sum to 1 (PED-ANOVA, Watanabe et al. 2023, arXiv 2304.10255).
    """
    values = [trial.value for trial in results.completed]
    if len(results.optimize.parameters) < 2:
        return "With fewer than two searched parameters there is nothing to rank."
    ranked = results.always_sampled
    if len(ranked) < 2:
        return "With fewer than two parameters that every completed trial samples there is nothing to rank."
    if len(values) < IMPORTANCE_MINIMUM:
        return f"{len(values)} completed trials are too few to rank parameters: it takes {IMPORTANCE_MINIMUM}."
    if len(set(values)) == 1:
        return "All completed trials have the same val accuracy, so there is nothing to rank."
    return _shares(results, range(len(values)))


def importance_by_chance(results: StudyResults) -> dict[str, float]:
    """Return the importance that each hyperparameter reaches by chance: the 95 % quantile over random studies.

    A random study has the same points and the same objectives, but another trial's objective for each point.
    """
    count, seed = len(results.completed), results.optimize.rand_seed
    orders = [numpy_generator(seed, "importance by chance", draw).permutation(count) for draw in range(PERMUTATIONS)]
    studies = [_shares(results, order.tolist()) for order in orders]
    return {name: float(np.quantile([study[name] for study in studies], 0.95)) for name in studies[0]}


def _shares(results: StudyResults, order: Sequence[int]) -> dict[str, float]:
    """Return the importances, as if each completed trial had the hyperparameters of another one, given by `order`."""
    evaluator = PedAnovaImportanceEvaluator(target_quantile=IMPORTANCE_QUANTILE)
    with warnings.catch_warnings():
        # Optuna warns that low targets count as good. The target is negated for this reason.
        warnings.simplefilter("ignore")
        params = [results.params[results.completed[index].trial] for index in order]
        study = in_memory(results.optimize, observed_trials(results.optimize, params, results.completed))
        return get_param_importances(
            study, evaluator=evaluator, params=results.always_sampled, target=lambda trial: -trial.values[0]
        )


def parallel_coordinates(results: StudyResults) -> Figure:
    """Draw one line per completed trial through its hyperparameters, each on a scale of its own, and val accuracy."""
    parameters = sampled_parameters(results.optimize.parameters)
    figure, axes = one_axes(3.2)
    accuracies = _percents(results.completed)
    scale = Normalize(min(accuracies), max(accuracies) + 1e-9)
    for trial, accuracy in zip(results.completed, accuracies, strict=True):
        values = results.params.get(trial.trial, {})
        heights = [_height(parameter, values.get(parameter.name)) for parameter in parameters]
        width = THICK if trial.trial in results.promoted else THIN
        colour = colormaps["viridis"](LIGHTEST * (1 - scale(accuracy)))
        axes.plot([*heights, scale(accuracy)], linewidth=width, color=colour, gid=f"trial-{trial.trial}")
    ends = [_ends(parameter) for parameter in parameters]
    ends.append((f"{min(accuracies):.2f} %", f"{max(accuracies):.2f} %"))
    for place, (low, high) in enumerate(ends):
        axes.axvline(place, color="black", linewidth=0.6)
        axes.text(place, -0.04, low, ha="center", va="top")
        axes.text(place, 1.03, high, ha="center", va="bottom")
    names = [parameter.name.replace(".", ".\n") for parameter in parameters]
    axes.set_xticks(range(len(ends)), [*names, "val accuracy"])
    axes.tick_params(axis="x", length=0, pad=20)
    axes.spines[:].set_visible(False)
    axes.set(yticks=[], ylim=(0, 1), xlim=(-0.3, len(ends) - 0.7))
    handles = [key("promoted trial", linewidth=THICK), key("other trial", linewidth=THIN)]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _height(parameter: Parameter, value: Any) -> float:
    """Return where a value lies between the ends of its hyperparameter, 0..1; NaN if the trial did not sample it."""
    if value is None:
        return math.nan
    if parameter.type == "categorical":
        return ((parameter.choices or []).index(value) + 0.5) / parameter.size
    return parameter.coordinate(value)


def _ends(parameter: Parameter) -> tuple[str, str]:
    """Return the texts at the lower and the upper end of a hyperparameter's axis."""
    if parameter.type == "categorical":
        choices = parameter.choices or []
        return shown(choices[0]), shown(choices[-1])
    text = EngFormatter(places=1) if parameter.type == "uniform_int" else "{:g}".format
    return text(parameter.at(0.0)), text(parameter.at(1.0))


def learning_curves(results: StudyResults) -> Figure:
    """Draw one panel for each stage that trains or searches, with one line per unit."""
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
        handles.append(key("ended early", linestyle="", marker="x"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    add_trial_colours(figure, results)
    return figure


def architecture(results: StudyResults, channels: int, size: int) -> Figure:
    """Draw the best network, for images of `size` x `size` pixels with `channels` channels.

    A trial of the run must have completed.
    """
    content, best = results.best_architecture, results.best
    assert content is not None and best is not None
    spec = Architecture.from_json(content, "architecture.json").spec
    name = content.get("space") or content.get("name") or "architecture"
    short = EngFormatter(places=2)
    costs = f"{short(best.parameters)} parameters, {short(best.macs)} MACs"
    scores = f"val accuracy {percent(best.val_accuracy)}"
    if best.test_accuracy is not None:
        scores += f", test accuracy {percent(best.test_accuracy)} (n = {best.test_n:,})"
    return draw_network(spec, channels, size, f"{name}, trial {best.trial}: {costs}\n{scores}")


FIGURES: Mapping[str, Callable[[StudyResults], Figure]] = {
    "study": study,
    "parallel_coordinates": parallel_coordinates,
    "importances": importances,
    "learning_curves": learning_curves,
}


def figures_of(results: StudyResults) -> Mapping[str, Callable[[StudyResults], Figure]]:
    """Return the functions that draw those figures for which the run has the data, by name."""
    has_values = bool(results.completed) and bool(sampled_parameters(results.optimize.parameters))
    has_data = {
        "study": bool(results.completed),
        "parallel_coordinates": has_values,
        "importances": bool(results.completed),
        "learning_curves": bool(results.histories),
        "tradeoff": any(results.evaluations.values()),
        "search_progress": any(results.evaluations.values()),
        "probabilities": bool(results.probabilities),
    }
    return {name: draw for name, draw in {**FIGURES, **search_plots.FIGURES}.items() if has_data[name]}


def _draw_stage(axes: Axes, results: StudyResults, stage: str, title: str, column: str, label: str) -> None:
    units = results.histories[stage]
    stopped = {trial.trial: trial.stopped_in for trial in results.trials}
    ends = []
    for unit in promoted_last(units, results):
        rows, trial = having(units[unit], column), trial_number(unit)
        style = line_of(unit, len(rows), results)
        epochs, values = numbers(rows, "epoch"), percents(rows, column)
        values = list(accumulate(values, max)) if column == BEST_SO_FAR else values
        axes.plot(epochs, values, **style, gid=f"{stage}-{unit}")
        if trial is not None and stopped.get(trial) == stage:
            axes.plot(epochs[-1:], values[-1:], "x", color=style["color"], gid=f"{stage}-{unit}-pruned")
        else:
            ends += values[len(values) // 2 :]
    if ends:
        room = max(0.05 * (max(ends) - min(ends)), 0.1)
        axes.set_ylim(min(ends) - room, max(ends) + room)
    axes.set(title=title, xlabel="epoch", ylabel=label)
    whole_numbers(axes)


def _percents(trials: Iterable[CompletedTrial]) -> list[float]:
    return [100 * trial.val_accuracy for trial in trials]
