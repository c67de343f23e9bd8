"""The figures that the rule `report` writes, and the table of trials; the page is tested in test_report_page."""

import subprocess
import sys
from pathlib import Path

from nasmake.pipeline.stages import CHAIN
from nasmake.report.results import read_study_results
from nasmake.report.trials_table import trials_table
from small_run import LR, MACS, arguments, optimize, results_of, small_run

ROOT = Path(__file__).parents[2]
STUDY = optimize(4, MACS, LR)


def rows_of(results) -> list[dict[str, str]]:
    table = trials_table(results, 600)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_script_writes_every_file_that_the_rule_declares(tmp_path: Path):
    small_run(tmp_path, STUDY)
    command = [sys.executable, "scripts/report.py", *arguments(tmp_path, STUDY)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    declared = {
        "architecture.svg",
        "importances.svg",
        "learning_curves.svg",
        "parallel_coordinates.svg",
        "probabilities.svg",
        "search_progress.svg",
        "study.svg",
        "tradeoff.svg",
    }
    assert {path.name for path in (tmp_path / "report").iterdir()} == declared
    rules = (ROOT / "workflow/rules/report.smk").read_text()
    assert all(f'"{name}"' in rules for name in declared)


def test_table_shows_every_trial_and_which_were_chosen(tmp_path: Path):
    rows = rows_of(results_of(tmp_path, STUDY))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["chosen"] for row in rows] == ["", "", "promoted", "best"]
    assert [row["test accuracy"] for row in rows] == ["", "", "75.00 %", "75.00 %"]
    assert (rows[3]["val accuracy"], rows[3]["val interval"]) == ("50.30 %", "46.3 to 54.3 %")
    assert rows[3]["MACs"] == "714,880"
    assert rows[3][MACS["name"]].replace(",", "").isdecimal()


def test_table_says_why_a_trial_ended_early_and_which_have_not_ended(tmp_path: Path):
    small_run(tmp_path, STUDY, pruned=(1,))
    (tmp_path / "trial-0002" / "result.json").unlink()
    for name in ("result.json", "suggestion.json"):
        (tmp_path / "trial-0003" / name).unlink()
    rows = rows_of(read_study_results(tmp_path, STUDY, CHAIN))
    assert [row["state"] for row in rows] == ["completed", "diverged", "under way", "waiting"]
    assert rows[1]["reason"] == "retrain: epoch 4: loss is nan"
    assert rows[1]["val accuracy"] == "" and rows[2][MACS["name"]] and not rows[3][MACS["name"]]
