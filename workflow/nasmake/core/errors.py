"""Errors that a user can mend, and the one line that says how.

No torch here, and pydantic for types only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


class InputError(Exception):
    """A user can mend this: wrong value, missing file, missing hardware. Its text is one line."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The end of an error message: the nearest valid name, or all of them."""
    allowed = list(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(sorted(allowed))}"


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with the values of a model: the key's path, the value, what is allowed; and how many more."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")  # a typo explains more
    first = problems[0]
    path = ".".join(str(part) for part in first["loc"])
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{_problem(path, first, model)}{rest}"


def _problem(path: str, problem: Any, model: type[BaseModel]) -> str:
    kind, value = problem["type"], _short(problem["input"])
    if kind == "extra_forbidden":
        *parents, name = problem["loc"]
        return f"{path}: unknown key; {nearest(str(name), _siblings(model, parents))}"
    if kind == "missing":
        return f"{path}: missing; {problem['msg']}"
    if kind == "value_error":
        text = str(problem["ctx"]["error"])
        return f"{path}.{text}" if path else text
    if kind == "literal_error":
        return f"{path}: {value} is not allowed; allowed: {problem['ctx']['expected']}"
    return f"{path}: {value} is not allowed; {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _siblings(model: Any, parents: list[Any]) -> list[str]:
    """Keys of the model at a path; the items of a list have the model that the list is made of."""
    for part in parents:
        model = get_args(model)[0] if isinstance(part, int) else model.model_fields[part].annotation
    return list(model.model_fields)
