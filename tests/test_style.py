"""Budgets of size: what does not fit is divided, not squeezed."""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("workflow", "scripts", "tests", "profiles")
PYTHON = sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS))
OURS = [path for path in PYTHON if path.is_relative_to(ROOT / "workflow") or path.is_relative_to(ROOT / "scripts")]
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_SNAKEFILE, LONGEST_RULES_FILE, LONGEST_RULE = 400, 60, 80, 220, 30


def name(path):
    return str(path.relative_to(ROOT))


def lines(path):
    return len(path.read_text().splitlines())


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_file_is_short(path):
    assert lines(path) <= LONGEST_FILE


def test_names_of_test_files_are_unique():
    """Without packages pytest tells them apart by their names alone, and leaves out the second."""
    names = [path.name for path in PYTHON if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", OURS, ids=name)
def test_functions_are_short(path):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions)]
    sizes = {node.name: node.end_lineno - node.lineno + 1 for node in found}
    assert {function: size for function, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def test_snakefiles_are_tables_of_contents():
    assert lines(ROOT / "Snakefile") <= LONGEST_SNAKEFILE
    assert not re.search(r"^def ", (ROOT / "Snakefile").read_text(), re.MULTILINE)
    catalogue = [line for line in (ROOT / "workflow" / "Snakefile").read_text().splitlines() if line.strip()]
    assert [line for line in catalogue if not line.startswith("#")] == [
        'include: "../Snakefile"',
        'workflow.default_target = "all"',
    ]


def rules(path):
    """Name and number of lines of every rule of the file."""
    blocks = re.split(r"^(?=\S)", path.read_text(), flags=re.MULTILINE)
    found = [(re.match(r"(?:rule|checkpoint) (\w+):", block), block) for block in blocks]
    return {match[1]: len(block.rstrip().splitlines()) for match, block in found if match}


@pytest.mark.parametrize("path", RULES, ids=name)
def test_rules_are_short(path):
    assert lines(path) <= LONGEST_RULES_FILE
    assert {rule: size for rule, size in rules(path).items() if size > LONGEST_RULE} == {}


def test_every_rule_has_its_script_of_the_same_name():
    """One name through the whole stack: rule, script, log."""
    for path in RULES:
        text = path.read_text()
        for rule in rules(path):
            assert (ROOT / "scripts" / f"{rule}.py").is_file()
            assert f"python scripts/{rule}.py " in text and re.search(rf"/{rule}\.log\"", text)
    assert sum(len(rules(path)) for path in RULES) >= 9


def test_rules_call_scripts_by_shell_only():
    for path in (ROOT / "Snakefile", *RULES):
        assert not re.search(r"^\s+(script|run|notebook|wrapper):", path.read_text(), re.MULTILINE)
