"""The figure of the evidence: ranking, what it is to be compared with, and selection."""

from collections.abc import Sequence
from typing import Any

import matplotlib.figure
from matplotlib.axes import Axes

from nasmake.evidence.results import Finding, Ranking
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
AGAINST = {  # text, colour, and how far below the middle of its row
    "worst": ("worst by inherited score", BLUE, -0.2),
    "random": ("mean of random networks", RED, 0.0),
    "equal_cost": ("best of random search", GREY, 0.2),
}


def draw(figures: Sequence[Finding], ranking: Ranking) -> matplotlib.figure.Figure:
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


def _taus(axes: Axes, figures: Sequence[Finding], count: int) -> None:
    found = {figure.key: figure for figure in figures}
    for place, key in enumerate(TAUS):
        _interval(axes, place, found[key], BLUE if key == "tau" else GREY)
    axes.axvspan(-null_deviation(count), null_deviation(count), color=GREY, alpha=0.15, linewidth=0)
    _name_rows(axes, list(TAUS.values()))
    axes.set(title="Ranking (95 %)", xlabel="Kendall's tau; grey: one sd of chance")


def _selection(axes: Axes, figures: Sequence[Finding]) -> None:
    found = {figure.key: figure for figure in figures}
    names = [figure.key.removesuffix("_worst") for figure in figures if figure.key.endswith("_worst")]
    for against, (text, colour, shift) in AGAINST.items():
        shown = [(row, found[key]) for row, name in enumerate(names) if (key := f"{name}_{against}") in found]
        for place, figure in shown:
            _interval(axes, place + shift, figure, colour, text if place == 0 else None)
    _name_rows(axes, names)
    axes.set(title="Selection, by strategy (90 %)", xlabel="test log-loss above that of the searched best")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(AGAINST))


def _interval(axes: Axes, place: float, figure: Finding, colour: str, label: str | None = None) -> None:
    ends = [[figure.value - figure.low], [figure.high - figure.value]]
    style: dict[str, Any] = {"fmt": "o", "markersize": 4, "color": colour, "label": label}
    axes.errorbar([figure.value], [place], xerr=ends, gid=figure.key, **style)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """The first on top, and a line at zero."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color="black", linewidth=0.6)
