"""The configuration: one typed model per section, defaults, and errors of one line.

The Snakefile imports this package, so it does not import torch. It imports nothing of nasmake except `core`.
"""

from nasmake.config.config import Config, keys, load

__all__ = ["Config", "keys", "load"]
