"""Tests of nasmake.core.errors; tests/config/test_config.py tests its lines for a whole configuration."""

import datetime
from typing import get_args

import pytest
from nasmake.core.errors import EXPECTED, InputError, nearest, one_line, shown
from pydantic import BaseModel, Field, ValidationError
from pydantic_core.core_schema import ErrorType


class Inner(BaseModel, extra="forbid"):
    rate: float = 0.1


class Model(BaseModel, extra="forbid"):
    count: int = Field(1, ge=1, le=1000)
    inner: Inner = Inner()
    entries: list[Inner] = []
    pair: list[int] = Field([1, 2], min_length=2, max_length=2)


def line_of(values):
    with pytest.raises(ValidationError) as error:
        Model.model_validate(values)
    return one_line(error.value, Model)


def test_nearest_offers_one_or_all():
    assert nearest("epoch", ["epochs", "seed"]) == "did you mean epochs?"
    assert nearest("zz", ["b", "a"]) == "expected one of a, b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain words", "plain words"),
        ("日本", "日本"),
        ("", '""'),
        ("two\nlines", r'"two\nlines"'),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        (float("nan"), "NaN"),
        (["a", None], '["a", null]'),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ("x" * 61, "x" * 57 + "..."),
        ("\x1b[31m", r'"\u001b[31m"'),
        ([10**5000], "a value that cannot be shown"),
        ({1: {(): 2}}, "a value that cannot be shown"),
    ],
)
def test_values_are_shown_as_in_yaml_on_one_short_line(value, text):
    assert shown(value) == text


def test_error_is_one_line_whose_characters_change_no_terminal():
    error = InputError("a\x1b[2J\nb\x7f\u202e\udcff", "x\0")
    assert str(error) == r"x\x00: a\x1b[2J\nb\x7f\u202e\udcff"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": 0}, "count is 0; expected 1 or more"),
        ({"count": 1001}, "count is 1001; expected 1000 or less"),
        ({"count": "40M"}, "count is 40M; expected a whole number; type: 40000000"),
        ({"count": "4e5"}, "count is 4e5; expected a whole number; type: 400000"),
        ({"count": "x", "pair": [1]}, "count is x; expected a whole number (and 1 more)"),
        ({"inner": {"rat": 1}}, "inner.rat: unknown key; did you mean rate?"),
        ({"count": 0, "entries": [{"rat": 1}]}, "entries.0.rat: unknown key; did you mean rate? (and 1 more)"),
        ({"count": "9" * 5000}, f"count is {'9' * 57}...; expected a whole number"),
        ({"a\x1b": 1}, r'"a\u001b": unknown key; expected one of count, entries, inner, pair'),
        ({"pair": [1]}, "pair is [1]; expected at least 2 entries"),
        ({"pair": [1, 2, 3]}, "pair is [1, 2, 3]; expected at most 2 entries"),
    ],
)
def test_line_has_the_key_the_value_and_what_is_expected(values, line):
    assert line_of(values) == line


def test_table_knows_the_types_of_pydantic():
    assert EXPECTED.keys() <= set(get_args(ErrorType))
