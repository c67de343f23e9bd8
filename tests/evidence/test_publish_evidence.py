"""scripts/publish_evidence.py: a finished run's table and figure in workflow/report/evidence.md."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "workflow/report/evidence.md"
BEGIN, END = "<!-- evidence: python scripts/publish_evidence.py -->", "<!-- evidence ends -->"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / PAGE).parent.mkdir(parents=True)
    (tmp_path / PAGE).write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    return tmp_path


def publish(folder):
    command = [sys.executable, str(ROOT / "scripts/publish_evidence.py"), "--run", "run"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_page_has_marks_for_the_table():
    text = (ROOT / PAGE).read_text()
    assert text.index(f"{BEGIN}\n") < text.index(END)


def test_table_replaces_the_old_one(folder):
    (folder / "run").mkdir()
    (folder / "run/evidence.md").write_text("| new |\n")
    (folder / "run/evidence.svg").write_text("<svg/>")
    for _ in range(2):  # again changes nothing
        assert publish(folder).returncode == 0
    image = "![networks, rankings and searches](evidence.svg)"
    assert (folder / PAGE).read_text() == f"before\n{BEGIN}\n| new |\n\n{image}\n{END}\nafter\n"
    assert (folder / "workflow/report/evidence.svg").read_text() == "<svg/>"


def test_without_a_run_nothing_is_changed(folder):
    done = publish(folder)
    assert done.returncode == 1 and done.stderr == "error: run/evidence.md: no such file; type: make evidence\n"
    assert "old" in (folder / PAGE).read_text()
