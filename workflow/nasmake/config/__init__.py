"""The configuration: typed sections, defaults, and errors of one line. No torch here."""

from nasmake.config.config import Config, keys, load

__all__ = ["Config", "keys", "load"]
