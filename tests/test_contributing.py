"""CONTRIBUTING.md is true: its examples run in a copy of the repository, and files and targets that it names exist."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n\n(.*?)(?=\n## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = [title for title, text in SECTIONS.items() if "```sh" in text]
FOLDERS = ("config", "packages", "profiles", "scripts", "tests", "workflow")


def changed(text, hunk):
    """Return the text with one hunk of a diff applied. Its lines begin with a blank, - or +."""
    old, new = ("".join(f"{line[1:]}\n" for line in hunk if line[0] in signs) for signs in (" -", " +"))
    assert text.count(old) == 1, f"in the file {text.count(old)} times:\n{old}"
    return text.replace(old, new)


def follow(section, folder):
    """Write the files of an example and make its changes; returns the new files."""
    written = []
    for name, kind, content in re.findall(r"`([\w./]+)`:\n\n```(python|yaml|diff)\n(.*?)```", section, re.DOTALL):
        path = folder / name
        if kind == "diff":
            for hunk in content.split("@@\n"):
                path.write_text(changed(path.read_text(), hunk.splitlines()))
        else:
            assert not path.exists(), f"{name} exists in the repository; choose another example"
            path.write_text(content)
            written.append(name)
    assert len(written) + section.count("```diff") == len(re.findall(r"```(?:python|yaml|diff)\n", section))
    return written


def run(folder, command):
    bin_folder = Path(sys.executable).parent
    paths = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder / "workflow")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | paths,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}"


def test_there_are_four_examples():
    assert [title.removeprefix("Add a ") for title in EXAMPLES] == [
        "search strategy",
        "path sampler",
        "search space",
        "data set",
    ]


@pytest.mark.parametrize("title", EXAMPLES)
def test_example_runs_in_a_copy_of_the_repository(title, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    section = SECTIONS[title]
    modules = [name for name in follow(section, tmp_path) if name.endswith(".py")]
    for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL):
        run(tmp_path, block)
    if modules:
        run(tmp_path, f"ruff check {' '.join(modules)} && ruff format --check {' '.join(modules)}")
        run(tmp_path, "lint-imports --no-cache --no-logo")


def test_files_and_targets_exist():
    words = re.findall(r"`([\w.-]+(?:/[\w.-]+)+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
    of_examples = re.findall(r"`([\w./]+)`:\n\n```(?:python|yaml)\n", PAGE)
    assert [word for word in words if word not in of_examples and not (ROOT / word).exists()] == []
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)(?=`| +#)", PAGE)) <= {*targets}
