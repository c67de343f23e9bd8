"""Data sets: from a source to arrays that every later stage maps into memory.

A new data set is one function `(settings) -> DataSet` and one line in MAKERS. This package, `image_folder` in it too,
is imported while Snakemake reads the workflow: numpy, torch and PIL are loaded by the makers only.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from nasmake.core.errors import InputError

MAKERS = {  # dataset.name -> "module:function", imported when it is asked for
    "cifar10": "nasmake.data.preparing.cifar:make_cifar10",
    "cifar100": "nasmake.data.preparing.cifar:make_cifar100",
    "digits": "nasmake.data.preparing.digits:make_digits",
    "digits_canvas": "nasmake.data.preparing.digits:make_digits_canvas",
    "imagenet": "nasmake.data.preparing.imagenet:make_imagenet",
    "image_folder": "nasmake.data.preparing.decode:make_image_folder",
}
log = logging.getLogger(__name__)


def prepare(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make a data set and write it to `folder`; the same source gives the same bytes.

    Args:
        settings: the `dataset` section: `name`, `path` (where archives or image folders lie), and, for those data sets
            that use them, `url`, `sha256` and `image_size`.
        folder: `<dataset.path>/<name>`, created when needed; its arrays are replaced.

    Returns:
        The manifest.

    Raises:
        InputError: the name is unknown, or the source is missing, damaged or not what was expected.
    """
    from nasmake.data.prepared import write_prepared

    started = time.time()
    maker = MAKERS.get(settings["name"])
    if maker is None:
        raise InputError(f"dataset.name: {settings['name']!r} is not one of {', '.join(MAKERS)}")
    manifest = write_prepared(folder, settings["name"], resolve_name(maker)(settings), started)
    log.info("images: %d train, %d test", manifest["train"]["count"], manifest["test"]["count"])
    log.info("written: %s", folder)
    return manifest
