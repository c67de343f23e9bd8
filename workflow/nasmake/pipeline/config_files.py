"""Check the configuration files of a run, which Snakemake reads leniently, and find the file that a wrong key is in.

Snakemake keeps the last of two equal keys and reads some values otherwise than they are written, such as 010 as 8.
The Snakefile imports this module, so it loads no torch. It imports core and config.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nasmake.config.aiaccel import path_of
from nasmake.core.errors import InputError, printable
from nasmake.core.files import read_text
from nasmake.core.json_text import parse_json
from nasmake.core.yaml_text import key_lines

Places = Mapping[str, str]  # file and line of each dotted key, such as "config/config.yaml, line 7"


def places_of(paths: Iterable[Path]) -> Places:
    """Return the place of each key of configuration files. A later file overrides the files before it.

    Args:
        paths: the files, YAML or JSON.

    Raises:
        InputError: a file cannot be read, has a key twice, or a value that YAML reads otherwise than it is written. The
            line names the file and, in YAML, the line.
    """
    places: dict[str, str] = {}
    here = Path.cwd()
    for file in paths:
        path = file.relative_to(here) if file.is_relative_to(here) else file
        text = read_text(path)
        if _is_json(text):  # Snakemake tries JSON first, too
            parse_json(text, str(path))
        else:
            found = key_lines(text, str(path))
            places |= {path_of(key): f"{path}, line {line}" for key, line in found.items()}
    return places


def with_place(error: InputError, places: Places, typed: Mapping[str, Any]) -> str:
    """Return the line of an error of the configuration, with the place of its key at the end.

    Args:
        error: an error whose text begins with `config: key`.
        places: the places of keys.
        typed: the values of --config, which override all files.
    """
    match = re.match(r"config: ([\w.]+?)(\.\d[\w.]*)?(?=:? )", str(error))  # optimize.parameters.0.lower is in a list
    place = match and places.get(match[1])
    if match is None or place is None or match[1].split(".")[0] in typed:
        return str(error)
    return f"{error} ({printable(place)})"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
