"""The environment that the Makefile makes: when it is made, and that the lock files are complete.

The real Makefile runs in a small checkout. Its Python there is a shell script that makes the folders of an environment
and writes down what pip would install, so that nothing is downloaded.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-torch.lock")
FAKE_PYTHON = """#!/bin/sh
# An interpreter without packages: what it is asked to install stands in the file "installed".
case "$*" in
    *nasmake*) test -e "$(dirname "$0")/editable" ;;
    --version) echo Python 3.12.0 ;;
    "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *--editable*) touch "$(dirname "$0")/editable"; echo "$@" >> installed ;;
    "-m pip"*) echo "$@" >> installed ;;
esac
"""
MADE = "making .venv with Python 3.12.0, since none fits this folder and its lock files; a few minutes\n"


class Checkout:
    """A folder with the Makefile, the lock files and an interpreter outside of them."""

    def __init__(self, folder, interpreter):
        folder.mkdir()
        for name in ("Makefile", *LOCKS):
            shutil.copy(ROOT / name, folder / name)
        self.folder, self.interpreter = folder, interpreter

    def make(self, **variables):
        command = ["make", "--no-print-directory", "environment", f"PYTHON={self.interpreter}"]
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | variables, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture(params=["plain", "spaces und Ümläute, 日本"])
def checkout(tmp_path, request):
    interpreter = tmp_path / "python here"
    interpreter.write_text(FAKE_PYTHON)
    interpreter.chmod(0o755)
    return Checkout(tmp_path / request.param, interpreter)


def test_environment_is_made_once(checkout):
    assert checkout.make() == MADE
    assert checkout.make() == ""
    steps = (checkout.folder / "installed").read_text().splitlines()
    assert len(steps) == 3
    assert "--require-hashes --requirement requirements.lock" in steps[0]
    assert "--requirement requirements-torch.lock" in steps[1]
    assert steps[2].endswith("--editable . --editable ./packages/snakemake-executor-plugin-pbs")


def test_an_environment_behind_a_link_stays(checkout, tmp_path):
    (other := tmp_path / "other").mkdir()
    (other / "made-for").write_text("another folder")
    (checkout.folder / ".venv").symlink_to(other)
    command = ["make", "--no-print-directory", "environment", f"PYTHON={checkout.interpreter}"]
    done = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True, timeout=60)
    error = "error: .venv is a link to another environment, which would be made anew; type: rm .venv\n"
    assert done.returncode != 0 and done.stdout == error
    assert (other / "made-for").exists() and not (checkout.folder / "installed").exists()


def test_moved_and_copied_checkouts_get_an_environment_of_their_own(checkout):
    checkout.make()
    shutil.copytree(checkout.folder, copied := checkout.folder.with_name("a copy"))
    moved = checkout.folder.rename(checkout.folder.with_name("moved"))
    for folder in (copied, moved):
        checkout.folder = folder
        assert checkout.make() == MADE
        assert checkout.make() == ""


@pytest.mark.parametrize("lock", LOCKS)
def test_changed_lock_makes_it_again(checkout, lock):
    checkout.make()
    with (checkout.folder / lock).open("a") as file:
        file.write("another==1.0\n")
    assert checkout.make() == MADE
    assert checkout.make() == ""


@pytest.mark.parametrize("loss", ["python", "editable"])
def test_lost_interpreter_or_package_makes_it_again(checkout, loss):
    """A system update may remove the Python that .venv links to, or replace it with one that has other packages."""
    checkout.make()
    lost = checkout.folder / ".venv/bin" / loss
    lost.unlink()
    if loss == "python":
        lost.symlink_to("/nowhere/python3")
    assert checkout.make() == MADE
    assert checkout.make() == ""


def test_interrupted_installation_is_begun_anew(checkout):
    checkout.make()
    (checkout.folder / ".venv/made-for").unlink()  # written last
    assert checkout.make() == MADE


def test_clean_removes_nothing_outside(checkout, tmp_path):
    """`rm -rf` on an unquoted path with spaces would remove other folders."""
    checkout.make()
    beside = tmp_path / "spaces"
    beside.mkdir()
    done = subprocess.run(["make", "clean"], cwd=checkout.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and beside.is_dir() and not (checkout.folder / ".venv").exists()


def pins(name):
    """Return version and number of hashes of each package of a lock file. A package may have versions per Python."""
    entries = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE))
    return [(*re.match(r"([\w.-]+)==([\w.+]+)", entry).groups(), entry.count("--hash=sha256:")) for entry in entries]


def test_lock_has_hashes_of_everything_but_torch():
    assert [name for name, _, hashes in pins("requirements.lock") if hashes == 0] == []
    assert [name for name, _, _ in pins("requirements-torch.lock")] == ["torch"]


def test_locks_have_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = {name for lock in LOCKS for name, _, _ in pins(lock)}
    assert {re.match(r"[\w-]+", line).group().lower() for line in declared} - locked == set()
    assert not [name for name in locked if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_torch_is_the_one_of_torchvision():
    ((_, version, _),) = pins("requirements-torch.lock")
    assert [re.sub(r"[() ]", "", line) for line in requires("torchvision") if "torch" in line] == [f"torch=={version}"]


def test_minimum_requirements_are_plain_pins():
    """pip accepts hashes for all lines or for none, and the lowest versions have none."""
    script = [sys.executable, str(ROOT / "scripts/minimum_requirements.py")]
    lines = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w-]+==[\w.]+", line)] == []
    assert {"torch", "torchvision", "pytest"} <= {line.partition("==")[0] for line in lines}
