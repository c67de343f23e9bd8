"""Read and write values of nested mappings by dotted paths, such as `supernet.lr`."""

from collections.abc import Mapping
from typing import Any


def assign(mapping: dict[str, Any], path: str, value: Any) -> None:
    """Write `value` at a dotted path, and create missing mappings on the way.

    Example:
        >>> settings = {}
        >>> assign(settings, "supernet.lr", 0.1)
        >>> settings
        {'supernet': {'lr': 0.1}}
    """
    *parents, last = path.split(".")
    for name in parents:
        mapping = mapping.setdefault(name, {})
    mapping[last] = value


def value_at(mapping: Any, path: str, *default: Any) -> Any:
    """Return the value at a dotted path.

    Args:
        mapping: nested mappings.
        path: names separated by dots.
        default: at most one value, which is returned where the path does not exist.

    Raises:
        KeyError: the path does not exist and there is no default.
    """
    for name in path.split("."):
        if default and (not isinstance(mapping, Mapping) or name not in mapping):
            return default[0]
        mapping = mapping[name]
    return mapping
