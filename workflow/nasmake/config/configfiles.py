"""Read configuration files as Snakemake does: each file overrides the defaults and the files before it.

This module imports core and config.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from nasmake.config.config import Config, load
from nasmake.core.errors import InputError
from nasmake.core.files import read_text
from nasmake.core.yaml_text import parse_yaml

DEFAULTS = Path("config/config.yaml")


def configuration_of(configfiles: Sequence[Path]) -> Config:
    """Return the configuration of the files that a user gave to Snakemake after --configfile.

    Raises:
        InputError: a file cannot be read, or has a wrong key or value.
    """
    return load(merged([DEFAULTS, *configfiles]))


def merged(paths: Iterable[Path]) -> dict[str, object]:
    """Return the content of YAML files, where later files override earlier ones key by key.

    Raises:
        InputError: a file cannot be read, or holds no mapping.
    """
    both: dict[str, object] = {}
    for path in paths:
        content = parse_yaml(read_text(path), str(path)) or {}
        if not isinstance(content, dict):
            raise InputError(f"{path}: content is no mapping; expected the sections of a configuration")
        both = _merge(both, content)
    return both


def _merge(base: object, over: object) -> dict[str, object]:
    assert isinstance(base, dict) and isinstance(over, dict)
    sections = {key for key in base.keys() & over.keys() if isinstance(base[key], dict) and isinstance(over[key], dict)}
    return base | over | {key: _merge(base[key], over[key]) for key in sections}
