"""Parse YAML text from outside: configuration files and space files.

PyYAML reads YAML 1.1. It keeps the last of two equal keys, reads 010 as 8, 12:30:45 as 45045 and 2026-01-01 as a date.
None of these is meant by a user of nasmake, so this module refuses them and names the line.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from nasmake.core.errors import InputError, cut, shown

LONGEST = 2**20  # characters
DEEPEST = 50  # levels of lists and mappings
MOST = 100_000  # values, after each alias was replaced by what it stands for
LONGEST_NUMBER = 40  # characters
KINDS = ("str", "int", "float", "bool", "null", "merge", "seq", "map")
TAG = "tag:yaml.org,2002:"
# Numbers that only YAML 1.1 knows: with _ between digits, octal, binary, and sexagesimal.
OLD_NUMBER = re.compile(r"[-+]?(0[0-7]+|0b[01]+|.*[_:].*)")


class _Loader(yaml.SafeLoader):
    """The loader, which also collects the size of every node that an alias can name."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sizes: dict[int, int | None] = {}  # by id of a node; None while its children are counted


def parse_yaml(text: str, source: str) -> Any:
    """Return the value of YAML text.

    Args:
        text: the YAML text.
        source: name of the file, for the error.

    Raises:
        InputError: the text is not YAML, or has a value that YAML 1.1 reads in its own way. The line names source and,
            where there is one, the line.
    """
    loader, node = _composed(text, source)
    try:
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:  # << with a value that is no mapping
        raise InputError(f"{source}: not YAML ({_words(error)})") from None


def key_lines(text: str, source: str) -> dict[str, int]:
    """Return the line, counted from 1, of each dotted key of YAML text; see `parse_yaml` for arguments and errors.

    Raises:
        InputError: also if the text holds no mapping.
    """
    _, node = _composed(text, source)
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{source}: content is no mapping; expected key: value")
    return dict(_lines(node, ""))


def _composed(text: str, source: str) -> tuple[_Loader, yaml.Node | None]:
    """Return the loader and the checked root node of YAML text; None for text without a value."""
    if len(text) > LONGEST:
        raise InputError(f"{source}: {len(text)} characters; expected at most {LONGEST}")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _check(node, loader, source, DEEPEST)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not YAML ({_words(error)})") from None
    except RecursionError:
        raise InputError(f"{source}: not YAML (nested too deep)") from None
    return loader, node


def _words(error: yaml.YAMLError) -> str:
    return cut(" ".join(str(error).split()), 500)


def _check(node: yaml.Node, loader: _Loader, source: str, levels: int) -> int:
    """Check a node and the nodes below it, and return their number."""
    where = f"{source}: line {node.start_mark.line + 1}"
    if id(node) in loader.sizes:
        size = loader.sizes[id(node)]
        if size is None:
            raise InputError(f"{where}: a value contains itself; expected an alias of another value")
        return size
    if levels == 0:
        raise InputError(f"{where}: nested too deep; expected at most {DEEPEST} levels")
    loader.sizes[id(node)] = None
    if isinstance(node, yaml.ScalarNode):
        children: list[yaml.Node] = []
        _check_scalar(node, loader, where)
    elif isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
        _check_keys(node, source)
    else:
        children = node.value
    if node.tag.removeprefix(TAG) not in KINDS:
        raise InputError(f"{where}: tag {shown(node.tag)}; expected a value without a tag")
    size = 1 + sum(_check(child, loader, source, levels - 1) for child in children)
    if size > MOST:
        raise InputError(f"{where}: more than {MOST} values; expected fewer aliases")
    loader.sizes[id(node)] = size
    return size


def _check_scalar(node: yaml.ScalarNode, loader: _Loader, where: str) -> None:
    kind, text = node.tag.removeprefix(TAG), shown(node.value)
    if kind == "timestamp":
        raise InputError(f'{where}: {text} is a date in YAML; expected "{text}", in quotes')
    if kind not in ("int", "float", "bool"):
        return
    if kind != "bool" and OLD_NUMBER.fullmatch(node.value):
        raise InputError(f'{where}: {text} is not read as written in YAML; expected a decimal number, or "{text}"')
    try:
        if len(node.value) > LONGEST_NUMBER:
            raise ValueError
        loader.construct_object(node)
    except (ValueError, KeyError, IndexError, yaml.YAMLError):  # !!int x, !!bool x, !!int ""
        raise InputError(f"{where}: {text} is no {kind}; expected one of fewer than {LONGEST_NUMBER} digits") from None


def _check_keys(node: yaml.MappingNode, source: str) -> None:
    first_lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{source}: line {line}: a key is no text; expected key: value")
        if key.value in first_lines:
            first = first_lines[key.value]
            raise InputError(f"{source}: line {line}: key {shown(key.value)} stands twice, first in line {first}")
        first_lines[key.value] = line


def _lines(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield f"{prefix}{key.value}", key.start_mark.line + 1
            yield from _lines(value, f"{prefix}{key.value}.")
