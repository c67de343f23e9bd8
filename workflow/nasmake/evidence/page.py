"""The findings as text: Markdown tables, the verdicts, and one HTML page. No torch or matplotlib here."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from nasmake.config.evidence import Evidence
from nasmake.evidence.lookup import ALL, BAND
from nasmake.evidence.plan import LOOKED_UP, TRAINED_SEARCHES
from nasmake.evidence.results import INHERITED, TRUE, Finding

Findings = Mapping[str, Finding]  # by key
Table = tuple[str, list[tuple[str, ...]]]  # a title, and rows of which the first is the head

COLUMNS_OF_SUPERNETS = {
    "tau": "tau",
    "partial_macs": "tau given MACs",
    "raw": "tau without recalibration",
    "accuracy": "inherited accuracy",
    "regret": "regret of the best",
}
LOSSES = {INHERITED: "inherited val log-loss", TRUE: "test log-loss of training from scratch"}
AMONG = {ALL: "all networks", BAND: "the band of MACs"}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Does the search work?</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 68em; padding: 0 1em; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin-bottom: 2em; }}
caption {{ text-align: left; font-weight: bold; }}
td, th {{ padding: .2em .8em; border-bottom: 1px solid #888; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }}
svg {{ max-width: 100%; height: auto; background: white; }}
</style>
<h1>Does the search work?</h1>
<p>{measured}</p>
<ul>
{verdicts}
</ul>
{drawing}
{tables}
</html>
"""


def tables(findings: Findings, evidence: Evidence) -> list[Table]:
    """Return the tables of the evidence."""
    ranking = [_row(findings[key]) for key in ("sd_networks", "sd_trainings", "ceiling", "tau_macs", "tau_parameters")]
    found = [
        _search_table(findings, networks, loss, evidence.budgets)
        for networks in (ALL, BAND)
        for loss in (INHERITED, TRUE)
    ]
    return [
        ("The table, and rankings without a supernet", [("figure", "value and 95 % interval"), *ranking]),
        _supernet_table(findings, evidence),
        *found,
        (
            "Methods with real steps: regret in test log-loss of training from scratch",
            [("method", "regret and 90 % interval"), *(_row(findings[f"regret_{name}"]) for name in TRAINED_SEARCHES)],
        ),
    ]


def markdown(parts: Sequence[Table], findings: Iterable[Finding], measured: str) -> str:
    """Return the sentence about the measurement, the verdicts and the tables as Markdown."""
    lines = [measured, "", *(f"* {verdict}" for verdict in verdicts(findings)), ""]
    for title, rows in parts:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        ruled = [rows[0], tuple("-" * width for width in widths), *rows[1:]]
        cells = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in ruled]
        lines += [f"**{title}**", "", *(f"| {line} |" for line in cells), ""]
    return "\n".join(lines)


def page(parts: Sequence[Table], findings: Iterable[Finding], measured: str, drawing: str) -> str:
    """Return the content of `markdown` and the figure, an SVG, as one HTML page. The page loads no other file."""
    html = []
    for title, rows in parts:
        lines = []
        for kind, row in zip(("th", *["td"] * (len(rows) - 1)), rows, strict=True):
            lines.append(f"<tr>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in row)}</tr>")
        html.append(f"<div><table><caption>{escape(title)}</caption>\n{chr(10).join(lines)}\n</table></div>")
    items = "\n".join(f"<li>{escape(verdict)}</li>" for verdict in verdicts(findings))
    svg = drawing[drawing.index("<svg") :]
    return PAGE.format(measured=escape(measured), drawing=svg, tables="\n".join(html), verdicts=items)


def verdicts(findings: Iterable[Finding]) -> list[str]:
    """Return one line for each finding that has a criterion."""
    return [
        f"{'reached' if finding.reached else 'NOT REACHED'}: {finding.key}: {_with_interval(finding)}, "
        f"asked: {finding.asked.text}"
        for finding in findings
        if finding.asked
    ]


def measured(machine: Mapping[str, Any], evidence: Evidence, networks: int, trainings: int) -> str:
    """Return a sentence about the size and the cost of the measurement.

    Args:
        machine: processor, cores, job_minutes and cpu_minutes.
        evidence: section `evidence`.
        networks: networks of the table.
        trainings: trainings of each network.
    """
    supernets = sum(len(evidence.seeds_of(kind)) for kind in evidence.supernets())
    return (
        f"{networks} networks with {trainings} trainings each; {supernets} supernets, {len(evidence.seeds)} of them "
        f"with the settings of the preset; {evidence.search_seeds} searches of each of these by every strategy; "
        f"{machine['cpu_minutes']:.0f} CPU minutes, without the table, on {machine['processor']}."
    )


def _supernet_table(findings: Findings, evidence: Evidence) -> Table:
    rows = [("supernet", "changed keys", *COLUMNS_OF_SUPERNETS.values())]
    for kind, changes in evidence.supernets().items():
        changed = ", ".join(f"{key} {value}" for key, value in changes.items())
        cells = (_with_interval(findings[f"{column}_{kind}"]) for column in COLUMNS_OF_SUPERNETS)
        rows.append((kind, changed, *cells))
    return "What matters for a supernet (95 % intervals)", rows


def _search_table(findings: Findings, networks: str, loss: str, budgets: Sequence[int]) -> Table:
    shown = [budget for budget in budgets if f"regret_{networks}_{loss}_random_{budget}" in findings]
    rows = [("strategy", *(f"{budget} networks" for budget in shown))]
    for name in LOOKED_UP:
        kind, text = ("regret", "random: its regret") if name == "random" else ("gain", name)
        rows.append(
            (text, *(_with_interval(findings[f"{kind}_{networks}_{loss}_{name}_{budget}"]) for budget in shown))
        )
    return f"Gain over random search in {LOSSES[loss]}, among {AMONG[networks]} (90 % intervals)", rows


def _row(finding: Finding) -> tuple[str, str]:
    return finding.text, _with_interval(finding)


def _with_interval(finding: Finding) -> str:
    return f"{number(finding.value)} ({number(finding.low)} to {number(finding.high)})"


def number(value: float) -> str:
    """Return a number with four decimals and without the leading zero; two decimals from 1 on."""
    rounded = round(value, 4) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:.4f}".replace("0.", ".", 1) if abs(rounded) < 1 else f"{rounded:.2f}"
