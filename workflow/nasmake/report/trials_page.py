"""The table of all trials as one HTML page that loads nothing."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nasmake.report.results import StudyResults, percent

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Trials</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; white-space: nowrap; }}
th, td {{ padding: .3em .8em; text-align: right; border-bottom: 1px solid #ddd; }}
th {{ position: sticky; top: 0; background: #fff; border-bottom: 2px solid #222; }}
td.text, th.text {{ text-align: left; }}
tr.chosen {{ font-weight: bold; background: #eef5fb; }}
</style>
</head>
<body>
<p>{outcome}</p>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</body>
</html>
"""
FACT_COLUMNS = ("trial", "chosen", "state", "val_accuracy", "test_accuracy", "val_loss")
COST_COLUMNS = ("parameters", "macs", "latency_ms")
TEXT_COLUMNS = ("chosen", "state", "architecture")


def trials_page(results: StudyResults) -> str:
    """The table of trials as one HTML page that loads nothing."""
    searched = [parameter.name for parameter in results.optimize.parameters]
    costs = [column for column in COST_COLUMNS if column in results.table[0]]
    columns = [*FACT_COLUMNS, *costs, *searched, "architecture"]
    head = "".join(f"<th{_kind(column)}>{escape(column)}</th>" for column in columns)
    body = "\n".join(_row(results, columns, row) for row in results.table)
    return PAGE.format(outcome=escape(outcome(results.best)), head=head, body=body)


def outcome(best: Mapping[str, Any]) -> str:
    """What the study came to, in a sentence or two."""
    text = f"Best: trial {best['trial']}, val accuracy {percent(best['val_accuracy'])}"
    if best["test_accuracy"] is not None:
        text += f", test accuracy {percent(best['test_accuracy'])} on {best['test_n']:,} images"
    text += f"; {best['parameters']:,} parameters, {best['macs']:,} MACs"
    text += f", {best['latency_ms']:.3f} ms." if "latency_ms" in best else "."
    if "baseline" in best:
        baseline = best["baseline"]
        text += f" Test accuracy of {baseline['name']} on the same split: {percent(baseline['test_accuracy'])}."
    return text


def _row(results: StudyResults, columns: Sequence[str], row: Mapping[str, str]) -> str:
    trial = int(row["trial"])
    chosen = "best" if trial == results.best["trial"] else "promoted" if trial in results.promoted else ""
    chosen = chosen or ("front" if trial in results.front else "")
    reason = results.trials[trial].get("reason")
    state = f"{row['state']}: {reason}" if reason else row["state"]
    texts = {column: _readable(column, row.get(column, "")) for column in columns} | {"chosen": chosen, "state": state}
    cells = "".join(f"<td{_kind(column)}>{escape(texts[column])}</td>" for column in columns)
    return f'<tr class="chosen">{cells}</tr>' if chosen in ("best", "promoted") else f"<tr>{cells}</tr>"


def _kind(column: str) -> str:
    return ' class="text"' if column in TEXT_COLUMNS else ""


def _readable(column: str, text: str) -> str:
    if column.endswith("_accuracy") and text:
        return percent(float(text))
    if text.isdecimal():
        return f"{int(text):,}"
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text
