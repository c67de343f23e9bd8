"""Read the file of a latency table.

The file holds facts of the measurement (space, image_shape, device, threads, precision, batch_size, ...) and `entries`:
`median_ms`, `iqr_ms` and `runs` for each profiled unit of the space, by the unit's key. Writing the file lives in
stages/measure_latency.py. The Snakefile imports this module, so it must not load torch.
"""

import json
from pathlib import Path

from nasmake.core.errors import InputError, cut, shown
from nasmake.core.files import read_json
from nasmake.costs.table import NANOSECONDS
from nasmake.costs.units import units_of_space
from nasmake.search_spaces import SearchSpace

LONGEST = 1_000_000_000  # milliseconds that one unit can take
ADVICE = "to measure one, type: snakemake measure_latency"


def read_latency(path: Path, space: SearchSpace, in_channels: int, input_size: int) -> dict[str, int]:
    """Return the nanoseconds of every profiled unit of the space, by its key.

    Args:
        path: the table's file.
        space: the search space of the study.
        in_channels: channels of the images.
        input_size: height and width of the images in pixels.

    Raises:
        InputError: the file is missing, is no latency table, or belongs to another space or image size.
    """
    content = read_json(path)
    for key in ("space", "space_hash", "image_shape", "entries"):
        if key not in content:
            raise InputError(f"{path}: {key} is missing; expected a latency table; {ADVICE}")
    if content["space_hash"] != space.hash:
        raise InputError(
            f"{path}: space is {shown(content['space'])} ({shown(content['space_hash'])}); "
            f"expected {space.name} ({space.hash}), which this study searches; {ADVICE}"
        )
    shape = [input_size, input_size, in_channels]
    if content["image_shape"] != shape:
        measured = shown(content["image_shape"])
        raise InputError(f"{path}: image_shape is {measured}; expected {shape}, the images of this study; {ADVICE}")
    keys, entries = units_of_space(space, in_channels, input_size), content["entries"]
    missing = sorted(keys.keys() - entries) if isinstance(entries, dict) else sorted(keys)
    if missing:
        raise InputError(
            f"{path}: entries: {len(missing)} of {len(keys)} are missing, the first is {missing[0]}; {ADVICE}"
        )
    nanoseconds = {}
    for key in keys:
        median = entries[key].get("median_ms") if isinstance(entries[key], dict) else None
        if not isinstance(median, int | float) or isinstance(median, bool) or not 0 <= median <= LONGEST:
            value = cut(json.dumps(median))
            raise InputError(
                f"{path}: entries.{key}.median_ms is {value}; expected a number of milliseconds >= 0 and <= {LONGEST}"
            )
        nanoseconds[key] = round(median * NANOSECONDS)
    return nanoseconds
