"""Tests of nasmake.core.json_text."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.json_text import parse_json


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": NaN}', "x: not JSON (NaN is no number of JSON)"),
        ("[-Infinity]", "x: not JSON (-Infinity is no number of JSON)"),
        ("[1e400]", "x: not JSON (1e400 is too large a number)"),
        (f"[{2**63}]", "x: not JSON (9223372036854775808 is too large a number)"),
        (f"[{'9' * 5000}]", f"x: not JSON ({'9' * 57}... is too large a number)"),
        ('{"a": 1, "b": 2, "a": 3}', "x: not JSON (key a stands twice)"),
        ("[" * 51 + "]" * 51, "x: not JSON (nested too deep)"),
        ("[" * 100_000, "x: not JSON (nested too deep)"),
        ('{"a": "b\\u0000"}', r'x: not JSON (text "b\u0000" has a control character)'),
        ('{"\\ud800": 1}', r'x: not JSON (text "\ud800" has a control character)'),
    ],
)
def test_what_the_parser_of_python_accepts_or_fails_at_is_one_line(text, line):
    with pytest.raises(InputError) as error:
        parse_json(text, "x")
    assert str(error.value) == line


def test_usual_content_is_read_as_by_python():
    text = '{"a": [1, -9223372036854775807, 1e-3, true, null, "two\\nlines", "\\ud83d\\ude00"], "b": {"a": {}}}'
    assert parse_json(text, "x") == {"a": [1, -(2**63) + 1, 0.001, True, None, "two\nlines", "😀"], "b": {"a": {}}}
