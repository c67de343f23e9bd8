"""The figures for people: one table, a line for each figure that something is asked of, and a page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from nasmake.evidence.results import Finding

HEAD = ("figure", "value", "interval", "n", "asked", "reached")
GROUPS = {  # what the values of its rows are
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


def markdown(figures: Sequence[Finding], measured: str) -> str:
    """How it was measured, the table, and the verdicts, in Markdown that is readable as it is."""
    rows = [HEAD, *_rows(figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join([measured, "", *lines, "", *(f"* {verdict}" for verdict in verdicts(figures)), ""])


def page(figures: Sequence[Finding], measured: str, drawing: str) -> str:
    """The same as one HTML page that loads nothing, with the figure in it."""
    rows = "\n".join(_html(row, "th" if row == HEAD else "td") for row in (HEAD, *_rows(figures)))
    said = "\n".join(f"<li>{escape(verdict)}</li>" for verdict in verdicts(figures))
    return PAGE.format(measured=escape(measured), drawing=drawing[drawing.index("<svg") :], rows=rows, verdicts=said)


def verdicts(figures: Iterable[Finding]) -> list[str]:
    """One line for each figure that something is asked of."""
    return [
        f"{'reached' if figure.reached else 'NOT REACHED'}: {figure.text}: {_number(figure.value)} "
        f"({_interval(figure)}), asked: {figure.asked.text}"
        for figure in figures
        if figure.asked
    ]


def measured(machine: Mapping[str, Any], count: int, seeds: int, retrain_seeds: int) -> str:
    """How it was measured, in a sentence."""
    return (
        f"{count} networks of the list, {seeds} supernets, each searched by every strategy; {retrain_seeds} trainings "
        f"from scratch of every network; {machine['job_minutes']:.0f} minutes of all jobs together, "
        f"{machine['cpu_minutes']:.0f} of them CPU time, on {machine['cores']} cores of {machine['processor']}."
    )


def _rows(figures: Sequence[Finding]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for group, unit in GROUPS.items():
        members = [figure for figure in figures if figure.group == group]
        if members:
            interval = f"{100 * members[0].level:.0f} %, {members[0].over}"
            rows += [(f"**{group.title()}**: {unit}", "", interval, "", "", ""), *map(_row, members)]
    return rows


def _row(figure: Finding) -> tuple[str, ...]:
    reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
    asked = figure.asked.text if figure.asked else ""
    by = f" ({', '.join(map(_number, figure.by))})" if figure.key == "tau" else ""
    return figure.text + by, _number(figure.value), _interval(figure), str(figure.n), asked, reached


def _interval(figure: Finding) -> str:
    return f"{_number(figure.low)} to {_number(figure.high)}"


def _number(value: float) -> str:
    """Three digits behind the point, without the zero before it; two for what is not below 1."""
    rounded = round(value, 3) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:.3f}".replace("0.", ".", 1) if abs(rounded) < 1 else f"{rounded:.2f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _html(cells: Sequence[str], kind: str) -> str:
    shown = "".join(f"<{kind}>{escape(cell.replace('**', ''))}</{kind}>" for cell in cells)
    return f"<tr>{shown}</tr>"
