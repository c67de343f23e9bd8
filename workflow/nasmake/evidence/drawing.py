"""The figure of the evidence: true against inherited loss, rank correlations, and the regret of searches. No torch."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasmake.config.evidence import SUPERNET, Evidence
from nasmake.evidence.lookup import ALL
from nasmake.evidence.plan import LOOKED_UP
from nasmake.evidence.results import INHERITED, TRUE, Finding, Scores
from nasmake.evidence.statistics import null_deviation
from nasmake.evidence.table_file import BenchmarkTable
from nasmake.report.style import BLUE, GREY, RED, WIDTH

HEIGHT = 6.5  # inches
# The colour-blind safe set of Okabe and Ito.
COLOURS = {
    "random": GREY,
    "evolution": BLUE,
    "asng": RED,
    "reinforce": "#009E73",
    "nsga2": "#E69F00",
    "predictor": "#CC79A7",
}
TITLES = {INHERITED: "Searches, by inherited loss", TRUE: "Searches, by test loss from scratch"}


def draw(findings: Mapping[str, Finding], evidence: Evidence, scores: Scores, table: BenchmarkTable) -> Figure:
    """Draw four panels: the networks, the rank correlations, and the regret of searches by both losses.

    Args:
        findings: by key.
        evidence: section `evidence`.
        scores: of the supernets with the settings of the preset.
        table: the benchmark table.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    panels: Any = figure.subplot_mosaic([["scatter", "taus"], [INHERITED, TRUE]])
    _scatter(panels["scatter"], scores, table)
    _taus(panels["taus"], findings, evidence, len(table.networks))
    for loss, title in TITLES.items():
        _regrets(panels[loss], findings, evidence, loss)
        panels[loss].set(title=title, xlabel="different networks evaluated", ylabel="regret (log-loss)")
    figure.legend(*panels[TRUE].get_legend_handles_labels(), loc="outside lower center", ncols=len(LOOKED_UP))
    return figure


def _scatter(axes: Axes, scores: Scores, table: BenchmarkTable) -> None:
    alone = table.scores("test_loss")
    spread = alone.std(0, ddof=1) / len(alone) ** 0.5
    style: dict[str, Any] = {"fmt": "o", "markersize": 2.5, "color": BLUE, "ecolor": GREY, "elinewidth": 0.6}
    axes.errorbar(scores.loss.mean(0), alone.mean(0), yerr=spread, gid="networks", **style)
    axes.set(title="The networks", xlabel="inherited val log-loss", ylabel="test log-loss from scratch")


def _taus(axes: Axes, findings: Mapping[str, Finding], evidence: Evidence, count: int) -> None:
    keys = [*(f"tau_{kind}" for kind in evidence.supernets()), f"raw_{SUPERNET}", "tau_macs", "ceiling"]
    labels = [*evidence.supernets(), "no recalibration", "MACs alone", "ceiling"]
    for row, key in enumerate(keys):
        finding = findings[key]
        ends = [[finding.value - finding.low], [finding.high - finding.value]]
        colour = BLUE if key == f"tau_{SUPERNET}" else GREY
        axes.errorbar([finding.value], [row], xerr=ends, fmt="o", markersize=4, color=colour, gid=key)
    axes.set_yticks(range(len(keys)), labels)
    axes.set_ylim(len(keys) - 0.5, -0.5)
    axes.axvspan(-null_deviation(count), null_deviation(count), color=GREY, alpha=0.15, linewidth=0)
    axes.set(title="Ranking (95 %)", xlabel="Kendall's tau; grey: one sd of chance")


def _regrets(axes: Axes, findings: Mapping[str, Finding], evidence: Evidence, loss: str) -> None:
    for name, colour in COLOURS.items():
        keys = [f"regret_{ALL}_{loss}_{name}_{budget}" for budget in evidence.budgets]
        shown = [findings[key] for key in keys if key in findings]
        budgets = evidence.budgets[: len(shown)]
        axes.plot(budgets, [finding.value for finding in shown], "o-", markersize=3, color=colour, label=name)
        if name in ("random", "evolution"):  # the bands of all strategies would hide each other
            limits = ([finding.low for finding in shown], [finding.high for finding in shown])
            axes.fill_between(budgets, *limits, color=colour, alpha=0.2, linewidth=0, gid=f"{loss}_{name}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(evidence.budgets, map(str, evidence.budgets))
    axes.axhline(0, color="black", linewidth=0.6)
