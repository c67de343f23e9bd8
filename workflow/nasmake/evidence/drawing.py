"""The figure of the evidence: ranking, what it is to be compared with, and selection."""

from collections.abc import Sequence
from typing import Any

import matplotlib.figure
from matplotlib.axes import Axes

from nasmake.evidence.findings import Figure, Ranking
from nasmake.evidence.statistics import null_deviation

BLUE, RED, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe and Ito's, as in the report
WIDTH, HEIGHT = 6.5, 5.6
TAUS = {
    "tau": "supernet",
    "tau_quarter": "1/4 of the steps",
    "tau_raw": "no recalibration",
    "control": "shuffled labels",
    "tau_parameters": "parameters",
    "tau_macs": "MACs",
    "ceiling": "noise ceiling",
}


def draw(figures: Sequence[Figure], ranking: Ranking) -> matplotlib.figure.Figure:
    """Three panels: inherited against stand-alone log-loss, taus, and selection by strategy."""
    figure = matplotlib.figure.Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    places: Any = figure.subplot_mosaic([["scatter", "taus"], ["selection", "selection"]])
    _scatter(places["scatter"], ranking)
    _taus(places["taus"], figures, len(ranking.truth))
    _selection(places["selection"], figures)
    return figure


def _scatter(axes: Axes, ranking: Ranking) -> None:
    spread = ranking.alone.std(0, ddof=1) / len(ranking.alone) ** 0.5
    style: dict[str, Any] = {"fmt": "o", "markersize": 3, "color": BLUE, "ecolor": GREY, "elinewidth": 0.6}
    axes.errorbar(ranking.inherited.mean(0), ranking.truth, yerr=spread, gid="networks", **style)
    axes.set(title="The networks of the list", xlabel="inherited val log-loss", ylabel="val log-loss from scratch")


def _taus(axes: Axes, figures: Sequence[Figure], count: int) -> None:
    found = {figure.key: figure for figure in figures}
    shown = [found[key] for key in TAUS]
    colours = [BLUE if figure.key == "tau" else GREY for figure in shown]
    _intervals(axes, shown, list(TAUS.values()), colours)
    axes.axvspan(-null_deviation(count), null_deviation(count), color=GREY, alpha=0.15, linewidth=0)
    axes.set(title="Kendall's tau with networks from scratch; grey: 1 sd of chance")


def _selection(axes: Axes, figures: Sequence[Figure]) -> None:
    for suffix, text, colour, shift in (
        ("_worst", "worst by inherited score - best", BLUE, -0.2),
        ("_random", "mean of random networks - best", RED, 0.0),
        ("_equal_cost", "best of random search - best", GREY, 0.2),
    ):
        shown = [figure for figure in figures if figure.group == "selection" and figure.key.endswith(suffix)]
        names = [figure.key.removesuffix(suffix) for figure in shown]
        _intervals(axes, shown, names, [colour] * len(shown), shift, text)
    axes.set(title="Selection, by strategy: difference in test log-loss, 90 % over search seeds; right is better")
    axes.legend(loc="best")


def _intervals(
    axes: Axes,
    shown: Sequence[Figure],
    names: Sequence[str],
    colours: Sequence[str],
    shift: float = 0.0,
    text: str = "",
) -> None:
    """One horizontal interval for each figure, the first on top."""
    known = {label.get_text(): place for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}
    places = [known.get(name, index) if text else index for index, name in enumerate(names)]
    for index, (place, figure, colour) in enumerate(zip(places, shown, colours, strict=True)):
        ends = [[figure.value - figure.low], [figure.high - figure.value]]
        style: dict[str, Any] = {"fmt": "o", "markersize": 4, "color": colour, "label": "" if index else text}
        axes.errorbar([figure.value], [place + shift], xerr=ends, gid=figure.key, **style)
    if len(names) >= len(known) or not text:
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color="black", linewidth=0.6)
