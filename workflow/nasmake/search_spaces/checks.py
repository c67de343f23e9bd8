"""Checks of parsed files: errors of one line that name file, key, value and what is allowed."""

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from nasmake.core.errors import InputError

Rule = tuple[str, Callable[[Any], bool]]  # what is allowed in words, and whether a value is


def whole(minimum: int) -> Rule:
    """A whole number from `minimum` on."""
    return f"a whole number >= {minimum}", lambda value: type(value) is int and value >= minimum


def one_of(*names: str) -> Rule:
    """One of several words."""
    return f"one of {', '.join(names)}", lambda value: value in names


def fraction() -> Rule:
    """A number in [0, 1)."""
    return "a number from 0 up to, but not including, 1", lambda value: is_number(value) and 0 <= value < 1


def odd() -> Rule:
    """A kernel size."""
    return "an odd whole number >= 1", lambda value: type(value) is int and value >= 1 and value % 2 == 1


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and not a truth value."""
    return type(value) in (int, float) and math.isfinite(value)


def section(content: Any, source: str, name: str, required: Mapping[str, bool]) -> Mapping[str, Any]:
    """`content`, a mapping whose keys are all in `required` and hold all that are required.

    Raises:
        InputError: it is no mapping, has an unknown key, or misses one.
    """
    location, prefix = (f"{source}: {name}", f"{name}.") if name else (source, "")
    if not isinstance(content, Mapping):
        fail(location, content, f"a mapping with the keys {', '.join(required)}")
    for key in content:
        if key not in required:
            near = get_close_matches(str(key), required, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(required)}"
            raise InputError(f"{source}: {prefix}{key}: unknown key; {hint}")
    for key, needed in required.items():
        if needed and key not in content:
            raise InputError(f"{source}: {prefix}{key}: missing")
    return content


def checked(value: Any, rule: Rule, location: str) -> Any:
    """`value`, if the rule allows it.

    Raises:
        InputError: it does not.
    """
    allowed, is_allowed = rule
    if not is_allowed(value):
        fail(location, value, allowed)
    return value


def fail(location: str, value: Any, allowed: str) -> NoReturn:
    """Say that the value at `where` is not what is allowed there."""
    if isinstance(value, tuple):
        value = list(value)
    raise InputError(f"{location}: {value}: expected {allowed}")
