"""The table of all trials as one HTML page that loads no other file. No torch or matplotlib here."""

from html import escape

from nasmake.core.records import BestNetwork
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
FACT_COLUMNS = ("trial", "chosen", "state")
SCORE_COLUMNS = ("val_accuracy", "val_interval", "test_accuracy", "test_interval", "val_loss")
COST_COLUMNS = ("parameters", "macs", "latency_ms")
TEXT_COLUMNS = ("chosen", "state", "architecture")


def trials_page(results: StudyResults) -> str:
    """Return the table of trials as one HTML page. The page loads no other file."""
    searched = [parameter.name for parameter in results.optimize.parameters]
    costs = [column for column in COST_COLUMNS if column in results.table[0]]
    columns = [*FACT_COLUMNS, *SCORE_COLUMNS, *costs, *searched, "architecture"]
    kinds = {column: ' class="text"' if column in TEXT_COLUMNS else "" for column in columns}
    head = "".join(f"<th{kinds[column]}>{escape(column)}</th>" for column in columns)
    rows = []
    for row in results.table:
        trial = int(row["trial"])
        is_promoted, is_best = trial in results.promoted, trial == results.best.trial
        choice = "best" if is_best else "promoted" if is_promoted else "front" if trial in results.front else ""
        reason = results.trials[trial].reason
        state = f"{row['state']}: {reason}" if reason else row["state"]
        texts = {column: _readable(column, row.get(column, "")) for column in columns}
        texts |= {"chosen": choice, "state": state}
        for split in ("val", "test"):
            texts[f"{split}_interval"] = _interval(row.get(f"{split}_low", ""), row.get(f"{split}_high", ""))
        cells = "".join(f"<td{kinds[column]}>{escape(texts[column])}</td>" for column in columns)
        rows.append(f'<tr class="chosen">{cells}</tr>' if is_best or is_promoted else f"<tr>{cells}</tr>")
    return PAGE.format(outcome=escape(outcome(results.best)), head=head, body="\n".join(rows))


def outcome(best: BestNetwork) -> str:
    """Return the outcome of the study in one or two sentences."""
    text = f"Best: trial {best.trial}, val accuracy {percent(best.val_accuracy)}"
    if best.test_accuracy is not None:
        text += f", test accuracy {percent(best.test_accuracy)} on {best.test_n:,} images"
    if best.test_interval is not None:
        text += f" (95 % interval {_interval(best.test_interval.low, best.test_interval.high)})"
    text += f"; {best.parameters:,} parameters, {best.macs:,} MACs"
    text += "." if best.latency_ms is None else f", {best.latency_ms:.3f} ms."
    if best.baseline is not None:
        text += f" Test accuracy of {best.baseline.name} on the same split: {percent(best.baseline.test_accuracy)}."
    return text


def _interval(low: float | str, high: float | str) -> str:
    """Return the limits of an accuracy as text in percent; empty for empty cells."""
    return f"{100 * float(low):.1f} to {100 * float(high):.1f} %" if low != "" else ""


def _readable(column: str, text: str) -> str:
    """Return a cell of trials.csv with percents, thousands separators or four digits; other text stays."""
    if column.endswith("_accuracy") and text:
        return percent(float(text))
    if text.isdecimal():
        return f"{int(text):,}"
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text
