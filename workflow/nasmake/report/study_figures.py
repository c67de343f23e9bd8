"""Figures of a finished study: objective by trial, importance of hyperparameters, learning curves, best network.

Figures of the searches are in search_figures. Callers convert a figure to SVG with nasmake.report.style. No torch here.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from nasmake.core.records import COMPLETE, SHARED, CompletedTrial, trial_number
from nasmake.core.seeding import numpy_generator
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
from nasmake.study.journal import in_memory, observed_trials

DOT: Style = {"color": BLUE, "markersize": 4}
RING: Style = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "color": "black", "markeredgewidth": 0.8}
RING |= {"linestyle": "", "clip_on": False}
# PED-ANOVA compares the best quarter of the trials with all of them. In 40 simulated studies of 15 trials the best
# quarter named the decisive one of three parameters 40 times. Optuna's default, the best tenth, named it 29 times. In
# studies of 4 trials both named it 17 times; in studies of 6 trials the best quarter named it 28 times.
IMPORTANCE_QUANTILE, IMPORTANCE_MINIMUM = 0.25, 6
PERMUTATIONS = 20  # random studies: the smallest number whose largest value is about the 95 % quantile
COSTS = {"macs": "MACs (multiply-adds per image)", "parameters": "parameters", "latency_ms": "latency (ms)"}
# Stage, title, column of its history, label of the vertical axis.
PANELS = (
    ("train_supernet", "Supernet training: sampled paths", "train_accuracy", "train accuracy (%)"),
    ("search_architecture", "Architecture search: best so far", "best_val_accuracy", "val accuracy (%)"),
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
    completed, end = results.completed, len(results.trials) - 1
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
    """Draw the best network, for images of `size` x `size` pixels with `channels` channels."""
    content, best = results.best_architecture, results.best
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
    "importances": importances,
    "learning_curves": learning_curves,
}


def figures_of(results: StudyResults) -> Mapping[str, Callable[[StudyResults], Figure]]:
    """Return the functions that draw the figures of a run, by name. A run without a search has fewer figures."""
    return {**FIGURES, **(search_plots.FIGURES if results.evaluations else {})}


def _draw_stage(axes: Axes, results: StudyResults, stage: str, title: str, column: str, label: str) -> None:
    units = results.histories[stage]
    for unit in promoted_last(units, results):
        rows, trial = having(units[unit], column), trial_number(unit)
        style = line_of(unit, len(rows), results)
        epochs, values = numbers(rows, "epoch"), percents(rows, column)
        axes.plot(epochs, values, **style, gid=f"{stage}-{unit}")
        if trial is not None and results.trials[trial].stopped_in == stage:
            axes.plot(epochs[-1:], values[-1:], "x", color=style["color"], gid=f"{stage}-{unit}-pruned")
    axes.set(title=title, xlabel="epoch", ylabel=label)
    whole_numbers(axes)


def _percents(trials: Iterable[CompletedTrial]) -> list[float]:
    return [100 * trial.val_accuracy for trial in trials]
