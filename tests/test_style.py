"""Limits of size, names that belong together, and the tree in CONTRIBUTING.md: what is too large is divided."""

import ast
import re
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("workflow", "packages", "scripts", "tests", "profiles")
PYTHON = sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS))
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_SNAKEFILE, LONGEST_RULES_FILE, LONGEST_RULE = 400, 60, 80, 220, 30


def lines(path):
    return len(path.read_text().splitlines())


def rules(path):
    """Return the text of every rule of the file, by its name."""
    blocks = re.split(r"^(?=\S)", path.read_text(), flags=re.MULTILINE)
    found = [(re.match(r"(?:rule|checkpoint) (\w+):", block), block) for block in blocks]
    return {match[1]: block.rstrip() for match, block in found if match}


def test_files_are_short():
    limits = dict.fromkeys(PYTHON, LONGEST_FILE) | dict.fromkeys(RULES, LONGEST_RULES_FILE)
    limits[ROOT / "Snakefile"] = LONGEST_SNAKEFILE
    assert [f"{path}: {lines(path)} lines" for path, limit in limits.items() if lines(path) > limit] == []


def test_functions_and_rules_are_short():
    offenders = []
    for path in PYTHON:
        if "tests" not in path.relative_to(ROOT).parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    size = node.end_lineno - node.lineno + 1
                    offenders += [f"{path}: {node.name}: {size} lines"] if size > LONGEST_FUNCTION else []
    for path in RULES:
        sizes = {name: len(text.splitlines()) for name, text in rules(path).items()}
        offenders += [f"{path}: {name}: {size} lines" for name, size in sizes.items() if size > LONGEST_RULE]
    assert offenders == []


def test_snakefiles_are_tables_of_contents():
    assert not re.search(r"^\s*(def|class) ", (ROOT / "Snakefile").read_text(), re.MULTILINE)
    catalogue = [line for line in (ROOT / "workflow" / "Snakefile").read_text().splitlines() if line.strip()]
    assert [line for line in catalogue if not line.startswith("#")] == [
        'include: "../Snakefile"',
        'workflow.default_target = "all"',
    ]


def test_every_rule_calls_the_script_of_its_name_by_shell_and_logs_by_its_name():
    offenders = []
    for path in (ROOT / "Snakefile", *RULES):
        if re.search(r"^\s+(script|run|notebook|wrapper):", path.read_text(), re.MULTILINE):
            offenders.append(f"{path}: expected shell only")
        for rule, text in rules(path).items():
            if rule == "all":  # it has no job
                continue
            name = re.sub("_of_(evidence|baselines)$", "", rule)  # stages of a study run in units of these too
            if not (ROOT / "scripts" / f"{name}.py").is_file() or f"python scripts/{name}.py " not in text:
                offenders.append(f"{path}: {name}: expected a call of scripts/{name}.py")
            if f'/{name}.log"' not in text:
                offenders.append(f"{path}: {name}: expected the log {name}.log")
    assert offenders == []
    assert sum(len(rules(path)) for path in RULES) >= 9


def test_names_of_test_files_are_unique():
    """Test folders are no packages. Pytest tells their files apart by name alone and cannot import the second one."""
    names = Counter(path.name for path in PYTHON if path.name.startswith("test_"))
    assert [name for name, number in names.items() if number > 1] == []


def test_trees_name_every_room_and_module():
    checked = subprocess.run(
        [sys.executable, "scripts/draw_tree.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")
