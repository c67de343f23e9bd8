"""The findings as text: the Markdown table, the verdicts, and one HTML page. No torch or matplotlib here."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from nasmake.evidence.results import Finding

HEAD = ("figure", "value", "interval", "n", "asked", "reached")
GROUPS = {  # the quantity in the rows of each group
    "recalibration": "accuracy",
    "ranking": "Kendall's tau-b with val log-loss of training from scratch",
    "selection": "difference in test log-loss, above 0 is better",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Does the search work?</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right; }}
td:first-child, th {{ text-align: left; }}
svg {{ max-width: 100%; height: auto; }}
</style>
<h1>Does the search work?</h1>
<p>{measured}</p>
{drawing}
<table>
{rows}
</table>
<ul>
{verdicts}
</ul>
</html>
"""


def markdown(findings: Sequence[Finding], measured: str) -> str:
    """Return the sentence about the measurement, the table and the verdicts as Markdown with aligned columns."""
    rows = [HEAD, *_rows(findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    bullets = [f"* {verdict}" for verdict in verdicts(findings)]
    return "\n".join([measured, "", *(f"| {line} |" for line in lines), "", *bullets, ""])


def page(findings: Sequence[Finding], measured: str, drawing: str) -> str:
    """Return the content of `markdown` and the figure, an SVG, as one HTML page. The page loads no other file."""
    rows = []
    for row in (HEAD, *_rows(findings)):
        kind = "th" if row == HEAD else "td"
        cells = "".join(f"<{kind}>{escape(cell.replace('**', ''))}</{kind}>" for cell in row)
        rows.append(f"<tr>{cells}</tr>")
    items = [f"<li>{escape(verdict)}</li>" for verdict in verdicts(findings)]
    svg = drawing[drawing.index("<svg") :]
    return PAGE.format(measured=escape(measured), drawing=svg, rows="\n".join(rows), verdicts="\n".join(items))


def verdicts(findings: Iterable[Finding]) -> list[str]:
    """Return one line for each finding that has a criterion."""
    return [
        f"{'reached' if finding.reached else 'NOT REACHED'}: {finding.text}: {_number(finding.value)} "
        f"({_interval(finding)}), asked: {finding.asked.text}"
        for finding in findings
        if finding.asked
    ]


def measured(machine: Mapping[str, Any], count: int, seeds: int, retrain_seeds: int) -> str:
    """Return a sentence about the size and the cost of the measurement.

    Args:
        machine: processor, cores, job_minutes and cpu_minutes.
        count: networks of the list.
        seeds: supernets.
        retrain_seeds: trainings from scratch of every network.
    """
    return (
        f"{count} networks of the list, {seeds} supernets, each searched by every strategy; {retrain_seeds} trainings "
        f"from scratch of every network; {machine['job_minutes']:.0f} minutes of all jobs together, "
        f"{machine['cpu_minutes']:.0f} of them CPU time, on {machine['cores']} cores of {machine['processor']}."
    )


def _rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for group, quantity in GROUPS.items():
        members = [finding for finding in findings if finding.group == group]
        if members:
            interval = f"{100 * members[0].level:.0f} %, {members[0].over}"
            rows.append((f"**{group.title()}**: {quantity}", "", interval, "", "", ""))
        for finding in members:
            reached = {True: "yes", False: "**no**", None: ""}[finding.reached]
            by_supernet = f" ({', '.join(map(_number, finding.by))})" if finding.key == "tau" else ""
            asked = finding.asked.text if finding.asked else ""
            text = finding.text + by_supernet
            rows.append((text, _number(finding.value), _interval(finding), str(finding.n), asked, reached))
    return rows


def _interval(finding: Finding) -> str:
    return f"{_number(finding.low)} to {_number(finding.high)}"


def _number(value: float) -> str:
    """Return a number with three decimals and without the leading zero; two decimals from 1 on."""
    rounded = round(value, 3) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:.3f}".replace("0.", ".", 1) if abs(rounded) < 1 else f"{rounded:.2f}"
