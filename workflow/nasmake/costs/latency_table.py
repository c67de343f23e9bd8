"""The file of a latency table. Imported by the Snakefile: no torch here.

It holds facts of the measurement (space, image_shape, device, threads, precision, batch_size, ...) and `entries`: for
each piece of the space `median_ms`, `iqr_ms` and `runs`, by the piece's key.
"""

import math
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.costs.table import NANOSECONDS
from nasmake.costs.units import units_of_space
from nasmake.search_spaces import SearchSpace

ADVICE = "to measure one, type: snakemake measure_latency"


def read_latency(path: Path, space: SearchSpace, in_channels: int, input_size: int) -> dict[str, int]:
    """Nanoseconds of every piece of the space, by its key, from the file `path`.

    Raises:
        InputError: the file is not there, is no latency table, or is that of another space or image size.
    """
    content = read_json(path)
    for key in ("space", "space_hash", "image_shape", "entries"):
        if key not in content:
            raise InputError(f"{path}: {key}: missing, so this is no latency table; {ADVICE}")
    if content["space_hash"] != space.hash:
        raise InputError(
            f"{path}: table of the space {content['space']} ({content['space_hash']}); "
            f"this study searches {space.name} ({space.hash}); {ADVICE}"
        )
    shape = [input_size, input_size, in_channels]
    if content["image_shape"] != shape:
        raise InputError(f"{path}: image_shape: {content['image_shape']}; this study's images are {shape}; {ADVICE}")
    wanted, entries = units_of_space(space, in_channels, input_size), content["entries"]
    missing = sorted(wanted.keys() - entries) if isinstance(entries, dict) else sorted(wanted)
    if missing:
        raise InputError(
            f"{path}: entries: {len(missing)} of {len(wanted)} are missing, the first is {missing[0]}; {ADVICE}"
        )
    return {key: _nanoseconds(path, key, entries[key]) for key in wanted}


def _nanoseconds(path: Path, key: str, entry: Any) -> int:
    median = entry.get("median_ms") if isinstance(entry, dict) else None
    if not isinstance(median, int | float) or isinstance(median, bool) or not 0 <= median < math.inf:
        raise InputError(f"{path}: entries.{key}.median_ms: {median!r}; expected a number of milliseconds, 0 or more")
    return round(median * NANOSECONDS)
