"""Parse JSON text from outside: a damaged file, or an argument that a user typed.

Python's parser accepts more than JSON. Numbers that are not finite, keys that stand twice and endless nesting would end
in a wrong result or a traceback far from their cause, so this module refuses them.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from nasmake.core.errors import InputError, cut, shown

LONGEST = 64 * 2**20  # characters; more than any artefact has, and little enough to be parsed in memory
DEEPEST = 50  # levels of lists and objects
LARGEST = 2**63  # whole numbers stay below
# Characters of text that no file name, no table and no figure can hold: control characters and halves of characters.
UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def parse_json(text: str, source: str) -> Any:
    """Return the value of JSON text.

    Args:
        text: the JSON text.
        source: name of the file or argument, for the error.

    Raises:
        InputError: the text is not JSON, or it has a number, a key or text that nasmake never writes.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters; expected at most {LONGEST}")
        content = json.loads(
            text, object_pairs_hook=_object, parse_constant=_not_finite, parse_float=_float, parse_int=_int
        )
        _check(content, DEEPEST)
    except RecursionError:
        raise InputError("not JSON (nested too deep)", source) from None
    except ValueError as error:
        raise InputError(f"not JSON ({error})", source) from None
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {shown(twice)} stands twice")
    return content


def _not_finite(token: str) -> NoReturn:
    raise ValueError(f"{token} is no number of JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{cut(digits)} is too large a number")
    return number


def _int(digits: str) -> int:
    if len(digits) > len(f"{-LARGEST}") or abs(number := int(digits)) >= LARGEST:
        raise ValueError(f"{cut(digits)} is too large a number")
    return number


def _check(content: Any, levels: int) -> None:
    """Raise a ValueError for text that no artefact has, and for more levels than `levels`."""
    if isinstance(content, str):
        if UNUSABLE.search(content):
            raise ValueError(f"text {shown(content)} has a control character")
        return
    children: Iterable[Any] = ()
    if isinstance(content, dict):
        children = (*content, *content.values())
    elif isinstance(content, list):
        children = content
    else:
        return
    if levels == 0:
        raise ValueError("nested too deep")
    for child in children:
        if type(child) in (str, dict, list):
            _check(child, levels - 1)
