"""Tests of nasmake.core.yaml_text."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.yaml_text import key_lines, parse_yaml

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run: a\nnas: {seed: 1}\nrun: b", "x: line 3: key run stands twice, first in line 1"),
        ("nas:\n  seed: 1\n  seed: 2", "x: line 3: key seed stands twice, first in line 2"),
        ("{seed: 1, seed: 2}", "x: line 1: key seed stands twice, first in line 1"),
        ("run: 010", 'x: line 1: 010 is not read as written in YAML; expected a decimal number, or "010"'),
        ("\nrun: 12:30:45", 'x: line 2: 12:30:45 is not read as written in YAML; expected a decimal number, or "12:'),
        ("run: 2024_01", "x: line 1: 2024_01 is not read as written in YAML; "),
        ("run: 0b11", "x: line 1: 0b11 is not read as written in YAML; "),
        ("run: 2026-01-01", 'x: line 1: 2026-01-01 is a date in YAML; expected "2026-01-01", in quotes'),
        ("a: !!timestamp x", "x: line 1: x is a date in YAML; "),
        ("a: !!int x", "x: line 1: x is no int; "),
        ("a: !!int", 'x: line 1: "" is no int; '),
        ("a: !!float", 'x: line 1: "" is no float; '),
        ("a: !!python/name:os.system", "x: line 1: tag tag:yaml.org,2002:python/name:os.system; expected a value wit"),
        (f"a: 0x{'f' * 10_000}", "x: line 1: 0xfff"),
        (f"a: {'9' * 5000}", "x: line 1: 999"),
        ("a: &a [*a]", "x: line 1: a value contains itself; "),
        (BOMB, "x: line 5: more than 100000 values; expected fewer aliases"),
        ("[" * 51 + "]" * 51, "x: line 1: nested too deep; expected at most 50 levels"),
        ("[" * 5000, "x: not YAML (nested too deep)"),
        ("? [a]\n: 1", "x: line 1: a key is no text; expected key: value"),
        ("<<: 5", "x: not YAML (while constructing a mapping in "),
        ("a: \x00", "x: not YAML (unacceptable character #x0000"),
        ("a: [", "x: not YAML (while parsing a flow node expected the node content"),
    ],
)
def test_text_that_yaml_would_read_otherwise_or_not_at_all_is_one_line(text, line):
    with pytest.raises(InputError) as error:
        parse_yaml(text, "x")
    assert str(error.value).startswith(line) and str(error.value).isprintable() and len(str(error.value)) < 600


def test_usual_content_is_read():
    text = "a: &rate 1e-3\nb: [0.1, 0x1F, -7, .inf, true, null]\nc: {<<: {d: 1}, d: '010', e: *rate}\n"
    assert parse_yaml(text, "x") == {
        "a": "1e-3",
        "b": [0.1, 31, -7, float("inf"), True, None],
        "c": {"d": "010", "e": "1e-3"},
    }
    assert parse_yaml("# nothing", "x") is None


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "a"])
def test_content_without_keys_has_no_lines(text):
    with pytest.raises(InputError, match="x: content is no mapping; expected key: value"):
        key_lines(text, "x")


def test_lines_of_nested_keys():
    assert key_lines("run: a\nnas:\n  seed: 1\n", "x") == {"run": 1, "nas": 2, "nas.seed": 3}
