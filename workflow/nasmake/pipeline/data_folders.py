"""Where the prepared data sets of a study lie, and what changed in the image folders that they were made from.

The Snakefile imports this module, so it loads no torch. It imports core, config and light parts of data.
"""

import os
from pathlib import Path

from nasmake.config import Config
from nasmake.core.errors import InputError
from nasmake.data.manifest import MANIFEST
from nasmake.data.pointer import read_pointer
from nasmake.data.preparing.listing import LISTING, Listing

DATASETS = ".datasets"  # in environment.result_dir; the name of a run cannot begin with a dot


def listing_of(config: Config, path: str | None = None) -> Listing | None:
    """Return the listing of the images in `path`, by default dataset.path; None if the data set is no image folder.

    Raises:
        InputError: the folders do not have the layout of an image folder.
    """
    return Listing.of(config.dataset.name, Path(path or config.dataset.path))


def prepared_folder(config: Config, listing: Listing | None, path: str | None = None) -> Path:
    """Return the folder of the prepared data set whose source lies in `path`, by default dataset.path.

    The name of a set that is made from images says what it was made from. Sets of several sizes and of several states
    of the images lie side by side. They lie in `path`, where all runs share them, or in environment.result_dir if
    `path` cannot be written.

    Args:
        config: the configuration of the study.
        listing: of the images in `path`; None for other data sets.
        path: folder of the source.
    """
    dataset = config.dataset
    if listing is None:
        return place_of(config, dataset.name, path)
    channels = [str(dataset.channels)] if dataset.name == "image_folder" else []
    name = "-".join([dataset.name, str(dataset.image_size), *channels, listing.digest[:12]])
    return place_of(config, name, path)


def place_of(config: Config, name: str, path: str | None = None) -> Path:
    """Return the folder of a prepared set: in `path`, by default dataset.path, or else in environment.result_dir.

    Args:
        config: the configuration of the study.
        name: of the folder.
        path: folder of the source.
    """
    source = Path(path or config.dataset.path)
    if (source / name / MANIFEST).is_file() or is_writable(source):
        return source / name
    return Path(config.environment.result_dir, DATASETS, name)


def is_writable(folder: Path) -> bool:
    """Return True if a job could write to a folder, or create it."""
    existing = first_existing(folder)
    return existing.is_dir() and os.access(existing, os.W_OK)


def first_existing(folder: Path) -> Path:
    """Return the folder, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def changed_images(pointer: Path, path: str, listing: Listing | None) -> str | None:
    """Return what changed in an image folder since a run has prepared it; None if nothing did or nothing is known.

    Args:
        pointer: the run's file with the facts about the prepared set.
        path: folder of the images.
        listing: of the images as they are now; None for a data set that is no image folder.
    """
    if listing is None or not pointer.is_file():
        return None
    try:
        before = Listing.read(read_pointer(pointer) / LISTING)
    except InputError:
        return None
    if before is None or before == listing:
        return None
    return f"{path}: {listing.changes_since(before)}; the stages that read these images run again"
