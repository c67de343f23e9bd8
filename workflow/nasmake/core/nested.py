"""Dotted paths into nested mappings. Imported by the Snakefile: no torch here."""

from collections.abc import Mapping
from typing import Any


def assign(mapping: dict[str, Any], path: str, value: Any) -> None:
    """Write `value` at a dotted path, making the mappings on the way."""
    *parents, last = path.split(".")
    for name in parents:
        mapping = mapping.setdefault(name, {})
    mapping[last] = value


def value_at(mapping: Any, path: str, *default: Any) -> Any:
    """What stands at a dotted path; the default, if one is given, where nothing does."""
    for name in path.split("."):
        if default and (not isinstance(mapping, Mapping) or name not in mapping):
            return default[0]
        mapping = mapping[name]
    return mapping
