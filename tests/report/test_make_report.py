import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from nasmake.core.files import read_json, write_json
from nasmake.core.records import Baseline
from nasmake.pipeline.stages import CHAIN
from nasmake.report.results import StudyResults, read_study_results
from nasmake.report.trials_page import outcome, trials_page
from small_run import LR, MACS, arguments, optimize, small_run

ROOT = Path(__file__).parents[2]
STUDY = optimize(4, MACS, LR)


class Table(HTMLParser):
    """The cells of a page's table as text, and every attribute in it that could load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.loads += [tag for name, _ in attributes if name in ("src", "href")] + [tag] * (tag in ("script", "link"))

    def handle_data(self, text):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text.strip()


def results_in(folder: Path, **options) -> StudyResults:
    return read_study_results(small_run(folder, STUDY, **options), STUDY, CHAIN)


def rows_of(page: str) -> list[dict[str, str]]:
    head, *rows = Table(page).rows
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_script_writes_every_file_that_the_rule_declares(tmp_path: Path):
    small_run(tmp_path, STUDY)
    command = [sys.executable, "scripts/report.py", *arguments(tmp_path, STUDY)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    declared = {
        "architecture.svg",
        "importances.svg",
        "learning_curves.svg",
        "probabilities.svg",
        "search_progress.svg",
        "study.svg",
        "tradeoff.svg",
        "trials.html",
    }
    assert {path.name for path in (tmp_path / "report").iterdir()} == declared
    rules = (ROOT / "workflow/rules/report.smk").read_text()
    assert all(f'"{name}"' in rules for name in declared)
    assert all((ROOT / f"workflow/report/{Path(name).stem}.rst").is_file() for name in declared)


def test_table_shows_every_trial_and_which_were_chosen(tmp_path: Path):
    rows = rows_of(trials_page(results_in(tmp_path)))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["chosen"] for row in rows] == ["", "", "promoted", "best"]
    assert [row["test_accuracy"] for row in rows] == ["", "", "75.00 %", "75.00 %"]
    assert rows[3]["val_accuracy"] == "50.30 %"
    assert rows[3]["macs"] == "714,880"
    assert rows[3][MACS["name"]].replace(",", "").isdecimal()


def test_table_says_why_a_trial_was_pruned(tmp_path: Path):
    rows = rows_of(trials_page(results_in(tmp_path, pruned=(1,))))
    assert rows[1]["state"] == "PRUNED: retrain: epoch 4: loss is nan"
    assert rows[1]["val_accuracy"] == ""


def test_table_escapes_text_and_loads_nothing(tmp_path: Path):
    small_run(tmp_path, STUDY, pruned=(0,))
    path = tmp_path / "trial-0000" / "result.json"
    write_json(path, read_json(path) | {"reason": "<script>alert('x')</script> & more"})
    page = trials_page(read_study_results(tmp_path, STUDY, CHAIN))
    assert "<script>" not in page
    assert Table(page).loads == []
    assert rows_of(page)[0]["state"] == "PRUNED: <script>alert('x')</script> & more"


def test_outcome_compares_with_the_baseline_and_does_without_a_test_part(tmp_path: Path):
    best = results_in(tmp_path).best
    assert "test accuracy 75.00 % on 597 images" in outcome(best)
    baseline = Baseline("logistic regression", 0.5)
    assert "logistic regression on the same split: 50.00 %" in outcome(replace(best, baseline=baseline))
    assert "test" not in outcome(replace(best, test_accuracy=None, test_n=0))
