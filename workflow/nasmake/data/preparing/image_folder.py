"""What lies in an image folder: `train/<class>/<image>` and, optionally, `test/<class>/<image>`.

Nothing but directories is read, and nothing but the standard library imported, so that the workflow can complain
before any job starts.
"""

import os
from pathlib import Path

from nasmake.core.errors import InputError

Listing = dict[str, list[Path]]


def check_image_folder(path: Path, test: str = "test") -> dict[str, dict[str, int]]:
    """Count the images of every class.

    Args:
        path: `dataset.path`.
        test: name of the folder of the test images.

    Returns:
        {"train": {class: count}, "test": {class: count}}; "test" is empty when there is no such folder.

    Raises:
        InputError: the folders are not as described above, fewer than two classes, or a class without an image.
    """
    return {
        split: {name: len(images) for name, images in classes.items()}
        for split, classes in list_images(path, test).items()
    }


def list_images(path: Path, test: str = "test") -> dict[str, Listing]:
    """The image files of every class of both parts, sorted by name; hidden files are left out.

    Raises:
        InputError: as `check_image_folder`.
    """
    train = _list_split(path / "train")
    if len(train) < 2:
        raise InputError(
            f"dataset.path: {path / 'train'} has {len(train)} class folder(s), at least 2 are needed: "
            f"put the images of each class into {path / 'train'}/<class>/"
        )
    tested = _list_split(path / test) if (path / test).exists() else {}
    if strangers := tested.keys() - train.keys():
        raise InputError(
            f"dataset.path: {path / test / min(strangers)} is a class that {path / 'train'} does not have "
            f"({', '.join(train)}): rename or remove it"
        )
    return {"train": train, "test": tested}


def _list_split(folder: Path) -> Listing:
    if not folder.is_dir():
        raise InputError(f"dataset.path: {folder} is no folder: put the images of each class into {folder}/<class>/")
    return {entry.name: _list_class(Path(entry)) for entry in _visible(folder) if entry.is_dir()}


def _list_class(folder: Path) -> list[Path]:
    entries = _visible(folder)
    if not entries:
        raise InputError(f"dataset.path: the class folder {folder} is empty: put images into it or remove it")
    if nested := [entry.path for entry in entries if entry.is_dir()]:
        raise InputError(f"dataset.path: {nested[0]} is a folder among images: move its images to {folder}")
    return [Path(entry) for entry in entries]


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
