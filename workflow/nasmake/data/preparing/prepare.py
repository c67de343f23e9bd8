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
from nasmake.data.preparing.image_folder import digest_of_images
from nasmake.data.preparing.shared_folder import intact_manifest, locked, new_folder

MAKERS = {  # dataset.name -> "module:function"
    "cifar10": "nasmake.data.preparing.cifar:make_cifar10",
    "cifar100": "nasmake.data.preparing.cifar:make_cifar100",
    "digits": "nasmake.data.preparing.digits:make_digits",
    "digits_canvas": "nasmake.data.preparing.digits:make_digits_canvas",
    "fashion_mnist": "nasmake.data.preparing.idx:make_fashion_mnist",
    "imagenet": "nasmake.data.preparing.imagenet:make_imagenet",
    "image_folder": "nasmake.data.preparing.decode:make_image_folder",
    "mnist": "nasmake.data.preparing.idx:make_mnist",
}
DECIDING = ("name", "sha256", "image_size", "version")  # settings that decide the arrays; paths do not
TEST_FOLDERS = {"imagenet": "val", "image_folder": "test"}  # names of the folders of test images, beside `train`
log = logging.getLogger(__name__)


def prepare(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make a data set and write it to `folder`, unless it is there already. The same source gives the same bytes.

    Several processes, also of other checkouts, may prepare the same folder at the same time. An intact set that was
    made from the same settings is left untouched, so that `folder` needs not be writable then.

    Args:
        settings: keys of section `dataset`: `name`; `path`, the folder of archives or images; and `url`, `sha256` and
            `image_size` for the data sets that use them; `version` of the stage.
        folder: `<dataset.path>/<name>`. It is created if necessary, and a damaged set in it is replaced.

    Returns:
        The manifest.

    Raises:
        InputError: the name is unknown, or the source is missing, damaged or of another kind.
    """
    name = settings["name"]
    if name not in MAKERS:
        raise InputError(f"dataset.name is {name}; expected one of {', '.join(MAKERS)}")
    source = {key: settings.get(key) for key in DECIDING}
    listing = digest_of_images(Path(settings["path"]), TEST_FOLDERS[name]) if name in TEST_FOLDERS else None
    manifest = intact_manifest(folder, source, listing)
    if manifest is None:
        with locked(folder):  # whoever waited here finds a set that is ready
            manifest = intact_manifest(folder, source, listing) or _make(settings, folder, source, listing)
    log.info("images: %d train, %d test", manifest["train"]["count"], manifest["test"]["count"])
    log.info("ready: %s", folder)
    return manifest


def _make(settings: Mapping[str, Any], folder: Path, source: Mapping[str, Any], listing: str | None) -> dict[str, Any]:
    from nasmake.data.prepared import write_prepared

    started, name = time.time(), settings["name"]
    data = resolve_name(MAKERS[name])(settings)
    with new_folder(folder) as private:
        return write_prepared(private, name, data, started, source, listing=listing)
