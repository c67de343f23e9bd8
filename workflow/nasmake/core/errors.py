"""Errors that a user can correct, each as one line of text.

Every such line has the form `where: key is value; expected ...; did you mean ...?`. This module loads neither torch nor
pydantic, because scripts import it before they know whether they need them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

# Pydantic's types of error, and what the key takes. Braces name entries of the error's context.
EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:.15g}",
    "greater_than_equal": "{ge:.15g} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt:.15g}",
    "less_than_equal": "{le:.15g} or less",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping of keys to values",
    "string_type": "text",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
}
LONGEST = 60  # characters of a value in an error
SHORT_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]|[eE]\+?(\d{1,2}))")  # 40M or 4e5, which YAML reads as text
UNITS = {"k": 3, "M": 6, "G": 9}  # powers of ten


class InputError(Exception):
    """A user can correct the cause: a wrong value, a missing file, missing hardware. The text is one printable line.

    Attributes:
        problem: the text without the location, for an error that adds a location of its own.
    """

    def __init__(self, problem: str, location: str | None = None) -> None:
        super().__init__(printable(problem if location is None else f"{location}: {problem}"))
        self.problem = problem


def printable(text: str) -> str:
    r"""Return the text with an escape such as `\x1b` or `\n` for each character that a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the end of an error text: the allowed name that is most similar to `name`, or else all allowed names."""
    allowed = list(allowed)
    similar = difflib.get_close_matches(name[:LONGEST], allowed, n=1)
    return f"did you mean {similar[0]}?" if similar else f"expected one of {', '.join(sorted(allowed))}"


def shown(value: Any) -> str:
    """Return a value as a user would type it in YAML, on one line of at most 60 characters."""
    try:
        text = str(value)
        if isinstance(value, dict | list | tuple | bool | float | None) or not text.strip() or not text.isprintable():
            text = json.dumps(value, default=str)
    except (ValueError, TypeError, RecursionError):  # thousands of digits, a key that is no text, deep nesting
        text = "a value that cannot be shown"
    return cut(printable(text))


def cut(text: str, longest: int = LONGEST) -> str:
    """Return the text, or its beginning and `...` if it is longer than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the first problem of a validation error as one line, and the number of further problems.

    Args:
        error: the error of a configuration. An unknown key comes first: it is often the cause of the other problems.
        model: the model of the whole configuration, which has the allowed keys.
    """
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    *parents, name = problem["loc"] or ("",)
    key = ".".join(map(shown, problem["loc"]))
    if name == "[key]":  # the name of an entry of a mapping
        key = f"{'.'.join(map(shown, parents[:-1]))}: name"
    if kind == "extra_forbidden":
        text = f"{key}: unknown key; {nearest(str(name), _keys_below(model, parents))}"
    elif kind == "missing":
        text = f"{key} is missing; expected a value"
    elif kind == "value_error" and isinstance(value, Mapping):  # a section's check names the key itself
        text = f"{key}.{context['error']}".removeprefix(".")
    elif kind == "value_error":
        text = f"{key} is {shown(value)}; {context['error']}"
    else:
        expected = EXPECTED[kind].format(**context).replace("'", "") if kind in EXPECTED else problem["msg"]
        text = f"{key} is {shown(value)}; expected {expected}{_in_digits(kind, value)}"
    return text if len(problems) == 1 else f"{text} (and {len(problems) - 1} more)"


def _in_digits(kind: str, value: Any) -> str:
    """Return how to type a whole number that was given as `40M` or `4e5`; nothing for other problems."""
    short = SHORT_NUMBER.fullmatch(str(value)) if kind == "int_parsing" else None
    if short is None:
        return ""
    number, unit, power = short.groups()
    return f"; type: {float(number) * 10 ** (UNITS.get(unit) or int(power)):.0f}"


def _keys_below(model: Any, path: Iterable[Any]) -> list[str]:
    """Return the keys of the section at `path`; a number in the path stands for an entry of a list of sections."""
    for part in path:
        model = get_args(model)[0] if isinstance(part, int) else model.model_fields[part].annotation
    return list(model.model_fields)
