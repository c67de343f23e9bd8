"""Prepare a data set: make its arrays from the source, and write them with a manifest.

To add a data set, write a function `(settings) -> DataSet` and add a line to MAKERS. This module is cheap to import:
NumPy, PIL and scikit-learn are imported by the makers.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from nasmake.core.errors import InputError

MAKERS = {  # dataset.name -> "module:function"
    "cifar10": "nasmake.data.preparing.cifar:make_cifar10",
    "cifar100": "nasmake.data.preparing.cifar:make_cifar100",
    "digits": "nasmake.data.preparing.digits:make_digits",
    "digits_canvas": "nasmake.data.preparing.digits:make_digits_canvas",
    "imagenet": "nasmake.data.preparing.imagenet:make_imagenet",
    "image_folder": "nasmake.data.preparing.decode:make_image_folder",
}
log = logging.getLogger(__name__)


def prepare(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make a data set and write it to `folder`. The same source gives the same bytes.

    Args:
        settings: keys of section `dataset`: `name`; `path`, the folder of archives or images; and `url`, `sha256` and
            `image_size` for the data sets that use them.
        folder: `<dataset.path>/<name>`. It is created if necessary, and its arrays are replaced.

    Returns:
        The manifest.

    Raises:
        InputError: the name is unknown, or the source is missing, damaged or of another kind.
    """
    from nasmake.data.prepared import write_prepared

    started = time.time()
    name = settings["name"]
    if name not in MAKERS:
        raise InputError(f"dataset.name is {name}; expected one of {', '.join(MAKERS)}")
    manifest = write_prepared(folder, name, resolve_name(MAKERS[name])(settings), started)
    log.info("images: %d train, %d test", manifest["train"]["count"], manifest["test"]["count"])
    log.info("written: %s", folder)
    return manifest
