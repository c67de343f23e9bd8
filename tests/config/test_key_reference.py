"""config/KEYS.md is what scripts/write_key_reference.py writes; with `--fix` this test writes it."""

import re
import subprocess
import sys
from pathlib import Path

from nasmake.config import keys
from nasmake.config.study import Parameter

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "config" / "KEYS.md"


def write(*arguments, folder=ROOT):
    command = [sys.executable, str(ROOT / "scripts/write_key_reference.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_reference_is_that_of_the_models(request):
    if request.config.getoption("--fix"):
        assert write().returncode == 0
    checked = write("--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_key_has_one_row():
    rows = re.findall(r"^\| `([^`]+)` \|", REFERENCE.read_text(), re.MULTILINE)
    of_a_parameter = [f"optimize.parameters[].{name}" for name in Parameter.model_fields]
    assert sorted(rows) == sorted([*keys(), *of_a_parameter])


def test_outdated_reference_is_an_error(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/KEYS.md").write_text(REFERENCE.read_text().replace("`0.05`", "`0.06`"))
    checked = write("--check", folder=tmp_path)
    assert checked.returncode == 1
    assert checked.stderr == (
        "error: config/KEYS.md: differs from the models; type: python scripts/write_key_reference.py\n"
    )
