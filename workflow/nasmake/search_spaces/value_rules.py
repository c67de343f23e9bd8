"""Rules for the values of space files and architecture files, and one-line errors for values that break them.

The keys of each file and their rules are in space_file.py and architecture_file.py. Each error names file, key, value
and the allowed values. tests/search_spaces/test_space_file.py and test_architecture.py test this module. It imports
core only.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from nasmake.core.errors import InputError, cut, nearest, shown
from nasmake.search_spaces.spec import ACTIVATIONS, GATES

Rule = tuple[str, Callable[[Any], bool]]  # the allowed values in words, and a function that recognises them


def is_number(value: Any) -> bool:
    """Return whether the value is a finite number; true and false are no numbers."""
    return type(value) in (int, float) and -1e300 < value < 1e300  # False for NaN, infinity and 400 digits


def one_of(*names: str) -> Rule:
    """Return the rule that a value is one of these words."""
    return f"one of {', '.join(names)}", lambda value: value in names


def whole(most: int, least: int = 1) -> Rule:
    """Return the rule that a value is a whole number from `least` to `most`."""
    words = f"a whole number >= {least} and <= {most}"
    return words, lambda value: type(value) is int and least <= value <= most


def text(longest: int) -> Rule:
    """Return the rule that a value is text of at most `longest` characters."""
    return f"text of at most {longest} characters", lambda value: isinstance(value, str) and len(value) <= longest


# The upper bounds allow any network that can be trained. They refuse numbers that would fill the memory.
MOST_DEPTH, MOST_CHANNELS, MOST_BLOCKS = 1000, 100_000, 200
MOST_LAYERS = 10_000  # of one network
DEPTH = whole(MOST_DEPTH)  # equal layers that follow each other
CHANNELS = whole(MOST_CHANNELS)
STRIDE = whole(1000)
POSITIVE: Rule = ("a number > 0 and <= 1000", lambda value: is_number(value) and 0 < value <= 1000)
NOT_NEGATIVE: Rule = ("a number >= 0 and <= 1000", lambda value: is_number(value) and 0 <= value <= 1000)
SMALL: Rule = ("a number > 0 and <= 1", lambda value: is_number(value) and 0 < value <= 1)
STYLE_RULES: dict[str, Rule] = {  # of the layers
    "activation": one_of(*ACTIVATIONS),
    "se_activation": one_of(*ACTIVATIONS),
    "se_gate": one_of(*GATES),
}
SE_OF = one_of("input", "expanded")  # channels of which the ratio of squeeze and excitation is taken
BOOLEAN: Rule = ("true or false", lambda value: type(value) is bool)
POSITION = one_of("before_pooling", "after_pooling")  # of the head
CLASSES = whole(1_000_000)
EDGE = whole(10_000)  # of images in pixels
ODD: Rule = (
    "an odd whole number >= 1 and <= 999",
    lambda value: type(value) is int and 1 <= value <= 999 and value % 2 == 1,
)
FRACTION: Rule = ("a number >= 0 and < 1", lambda value: is_number(value) and 0 <= value < 1)


def section(content: Any, source: str, name: str, required: Mapping[str, bool]) -> Mapping[str, Any]:
    """Return `content` if it is a mapping with all required keys and no unknown key.

    Args:
        content: the parsed mapping.
        source: the file's name.
        name: the path of the mapping in the file, such as `blocks[1]`; empty for the whole file.
        required: for every allowed key, whether the mapping must have it.

    Raises:
        InputError: it is no mapping, has an unknown key, or lacks a required key.
    """
    location, prefix = (f"{source}: {name}", f"{source}: {name}.") if name else (f"{source}: content", f"{source}: ")
    if not isinstance(content, Mapping):
        fail(location, content, f"a mapping with the keys {', '.join(required)}")
    for key in content:
        if key not in required:
            raise InputError(f"{prefix}{shown(key)}: unknown key; {nearest(shown(key), required)}")
    for key, is_required in required.items():
        if is_required and key not in content:
            raise InputError(f"{prefix}{key} is missing; expected a value")
    return content


def checked(value: Any, rule: Rule, location: str) -> Any:
    """Return `value` if the rule allows it.

    Raises:
        InputError: the rule does not allow it.
    """
    allowed, is_allowed = rule
    if not is_allowed(value):
        fail(location, value, allowed)
    return value


def fail(location: str, value: Any, allowed: str) -> NoReturn:
    """Raise the error of a wrong value.

    Args:
        location: file and key.
        value: the wrong value.
        allowed: the allowed values in words.

    Raises:
        InputError: always.
    """
    is_text = isinstance(value, str) and not value.isidentifier()
    raise InputError(f"{location} is {cut(json.dumps(value)) if is_text else shown(value)}; expected {allowed}")
