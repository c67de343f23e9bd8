"""Views of a configuration in which a reader can read only the keys that it declares.

The declared keys of a stage or strategy decide when it is run again and whether a hyperparameter is sampled. A key that
is read without a declaration would silently count as unused, so reading such a key is an error.
"""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

Settings = TypeVar("Settings")


class UndeclaredKeyError(Exception):
    """Code reads a key that it does not declare: a mistake of the programmer, not of the user."""


def restrict(settings: Settings, keys: Iterable[str], reader: str) -> Settings:
    """Return a view of `settings` in which only the declared keys can be read.

    Args:
        settings: a configuration, or one of its sections.
        keys: dotted paths below `settings`; the path of a section declares all keys in it.
        reader: name of the stage or strategy that declares the keys, for the error.

    Returns:
        The view. It has the type of `settings` for type checkers, because it has the same attributes.

    Raises:
        UndeclaredKeyError: later, when an undeclared key of the view is read.
    """
    return cast(Settings, _View(settings, frozenset(keys), reader, ""))


class _View:
    def __init__(self, settings: Any, keys: frozenset[str], reader: str, prefix: str) -> None:
        self._settings, self._keys, self._reader, self._prefix = settings, keys, reader, prefix

    def __getattr__(self, name: str) -> Any:
        path = f"{self._prefix}{name}"
        value = getattr(self._settings, name)
        if any(path == key or path.startswith(f"{key}.") for key in self._keys):
            return value
        if any(key.startswith(f"{path}.") for key in self._keys):
            return _View(value, self._keys, self._reader, f"{path}.")
        raise UndeclaredKeyError(f"{self._reader} reads {path}, which it does not declare")
