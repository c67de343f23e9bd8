"""List the images of an image folder: `train/<class>/<image>` and, optionally, `test/<class>/<image>`.

The Snakefile uses this module to check the folders before any job starts. It imports the standard library only, and
reads folders but no images.
"""

import os
from pathlib import Path

from nasmake.core.errors import InputError


def check_image_folder(path: Path, test: str = "test") -> dict[str, dict[str, int]]:
    """Count the images of every class.

    Args:
        path: `dataset.path`.
        test: name of the folder of the test images.

    Returns:
        {"train": {class: count}, "test": {class: count}}; "test" is empty if the folder does not exist.

    Raises:
        InputError: see `list_images`.
    """
    return {
        split: {name: len(images) for name, images in classes.items()}
        for split, classes in list_images(path, test).items()
    }


def list_images(path: Path, test: str = "test") -> dict[str, dict[str, list[Path]]]:
    """Return the image files of every class of both splits, sorted by name. Hidden files are left out.

    Args:
        path: `dataset.path`.
        test: name of the folder of the test images.

    Returns:
        {"train": {class: files}, "test": {class: files}}; "test" is empty if the folder does not exist.

    Raises:
        InputError: the folders are not as described above, there are fewer than two classes, or a class has no image.
    """
    train = _list_split(path / "train")
    if len(train) < 2:
        raise InputError(
            f"dataset.path: {path / 'train'} has {len(train)} class folder(s); expected at least 2: "
            f"put the images of each class into {path / 'train'}/<class>/"
        )
    tested = _list_split(path / test) if (path / test).exists() else {}
    if unknown := tested.keys() - train.keys():
        raise InputError(
            f"dataset.path: {path / test / min(unknown)} is a class that {path / 'train'} does not have; "
            f"expected {', '.join(train)}: rename or remove it"
        )
    return {"train": train, "test": tested}


def _list_split(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise InputError(f"dataset.path: {folder} is no folder; put the images of each class into {folder}/<class>/")
    classes: dict[str, list[Path]] = {}
    for entry in _visible(folder):
        if entry.is_dir():
            images = _visible(Path(entry))
            if not images:
                raise InputError(
                    f"dataset.path: the class folder {entry.path} is empty; put images into it or remove it"
                )
            if nested := next((image.path for image in images if image.is_dir()), None):
                raise InputError(f"dataset.path: {nested} is a folder among images; move its images to {entry.path}")
            classes[entry.name] = [Path(image) for image in images]
    return classes


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
