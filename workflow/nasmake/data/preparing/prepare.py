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

from nasmake.core.errors import InputError, printable
from nasmake.core.files import write_atomically
from nasmake.data.preparing.image_folder import UnreadableImagesError
from nasmake.data.preparing.listing import LISTING, Listing, check_unchanged
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
CHANNELS = "channels"  # decides the arrays of an image_folder too; other sets have one number of channels
log = logging.getLogger(__name__)


def prepare(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make a data set and write it to `folder`, unless it is there already. The same source gives the same bytes.

    Several processes, also of other checkouts, may prepare the same folder at the same time. An intact set that was
    made from the same settings is left untouched, so that `folder` needs not be writable then.

    Args:
        settings: keys of section `dataset`: `name`; `path`, the folder of archives or images; and `url`, `sha256` and
            `image_size` and `channels` for the data sets that use them; `version` of the stage; and `listing`, the
            digest of the images that are to be prepared, if the caller knows it.
        folder: of the prepared set. It is created if necessary, and a damaged set in it is replaced.

    Returns:
        The manifest.

    Raises:
        InputError: the name is unknown, the source is missing, damaged or of another kind, or the images are not those
            of `listing`.
    """
    name = settings["name"]
    if name not in MAKERS:
        raise InputError(f"dataset.name is {name}; expected one of {', '.join(MAKERS)}")
    source = {key: settings.get(key) for key in DECIDING}
    if name == "image_folder":
        source[CHANNELS] = settings.get(CHANNELS, "auto")
    path = Path(settings["path"])
    listing = Listing.of(name, path)
    check_unchanged(path, listing, settings.get("listing"))
    facts = _facts(path, folder, listing)
    manifest = intact_manifest(folder, source, facts)
    if manifest is None:
        with locked(folder):  # whoever waited here finds a set that is ready
            manifest = intact_manifest(folder, source, facts) or _make(settings, folder, source, listing, facts)
    log.info("images: %d train, %d test", manifest["train"]["count"], manifest["test"]["count"])
    log.info("ready: %s", folder)
    return manifest


def _facts(path: Path, folder: Path, listing: Listing | None) -> dict[str, str]:
    """Return the entries of the provenance block for the images that a set was made from.

    Images that stay files are found relative to the prepared set, so that both can be moved together. If the set lies
    elsewhere, `images` is their absolute path.
    """
    if listing is None:
        return {}
    elsewhere = {} if folder.parent.resolve() == path.resolve() else {"images": str(path.resolve())}
    return {"listing": listing.digest, **elsewhere}


def _make(
    settings: Mapping[str, Any],
    folder: Path,
    source: Mapping[str, Any],
    listing: Listing | None,
    facts: Mapping[str, str],
) -> dict[str, Any]:
    from nasmake.data.prepared import write_prepared

    started, name, path = time.time(), settings["name"], Path(settings["path"])
    report = folder.with_name(f"{folder.name}.unreadable.txt")
    try:
        data = resolve_name(MAKERS[name])(settings)
    except UnreadableImagesError as error:
        write_atomically(report, "".join(f"{printable(problem)}\n" for problem in error.problems).encode())
        raise InputError(f"{error.problems[0]}; {error}, all in {report}; repair or remove them") from None
    report.unlink(missing_ok=True)
    with new_folder(folder) as private:
        if listing is not None:
            check_unchanged(path, Listing.of(name, path), listing.digest)
            write_atomically(private / LISTING, listing.text.encode())
        return write_prepared(private, name, data, started, source, **facts)
