"""The figure of the evidence: ranking of a list of networks, rank correlations, and selection. No torch here."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasmake.evidence.results import Finding, Ranking
from nasmake.evidence.statistics import null_deviation
from nasmake.report.style import BLUE, GREY, RED, WIDTH

HEIGHT = 5.6  # inches
TAUS = {
    "tau": "supernet",
    "tau_quarter": "1/4 of the steps",
    "tau_raw": "no recalibration",
    "control": "shuffled labels",
    "tau_parameters": "parameters",
    "tau_macs": "MACs",
    "ceiling": "noise ceiling",
}
AGAINST = {  # label, colour, and how far below the middle of its row
    "worst": ("worst by inherited score", BLUE, -0.2),
    "random": ("mean of random networks", RED, 0.0),
    "equal_cost": ("best of random search", GREY, 0.2),
}


def draw(findings: Sequence[Finding], ranking: Ranking) -> Figure:
    """Draw three panels: inherited against stand-alone log-loss, rank correlations, and selection by strategy."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    panels: Any = figure.subplot_mosaic([["scatter", "taus"], ["selection", "selection"]])
    by_key = {finding.key: finding for finding in findings}
    _scatter(panels["scatter"], ranking)
    _taus(panels["taus"], by_key, len(ranking.truth))
    _selection(panels["selection"], by_key)
    return figure


def _scatter(axes: Axes, ranking: Ranking) -> None:
    spread = ranking.alone.std(0, ddof=1) / len(ranking.alone) ** 0.5
    style: dict[str, Any] = {"fmt": "o", "markersize": 3, "color": BLUE, "ecolor": GREY, "elinewidth": 0.6}
    axes.errorbar(ranking.inherited.mean(0), ranking.truth, yerr=spread, gid="networks", **style)
    axes.set(title="The networks of the list", xlabel="inherited val log-loss", ylabel="val log-loss from scratch")


def _taus(axes: Axes, findings: dict[str, Finding], count: int) -> None:
    for row, key in enumerate(TAUS):
        _interval(axes, row, findings[key], BLUE if key == "tau" else GREY)
    axes.axvspan(-null_deviation(count), null_deviation(count), color=GREY, alpha=0.15, linewidth=0)
    _name_rows(axes, list(TAUS.values()))
    axes.set(title="Ranking (95 %)", xlabel="Kendall's tau; grey: one sd of chance")


def _selection(axes: Axes, findings: dict[str, Finding]) -> None:
    names = [key.removesuffix("_worst") for key in findings if key.endswith("_worst")]
    for against, (label, colour, shift) in AGAINST.items():
        for row, name in enumerate(names):
            if finding := findings.get(f"{name}_{against}"):  # random search is not compared with itself
                _interval(axes, row + shift, finding, colour, label if row == 0 else None)
    _name_rows(axes, names)
    axes.set(title="Selection, by strategy (90 %)", xlabel="test log-loss above that of the searched best")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(AGAINST))


def _interval(axes: Axes, y: float, finding: Finding, colour: str, label: str | None = None) -> None:
    ends = [[finding.value - finding.low], [finding.high - finding.value]]
    style: dict[str, Any] = {"fmt": "o", "markersize": 4, "color": colour, "label": label}
    axes.errorbar([finding.value], [y], xerr=ends, gid=finding.key, **style)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Label the rows, the first on top, and draw a line at zero."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color="black", linewidth=0.6)
