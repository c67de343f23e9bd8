"""List the images of an image folder: `train/<class>/<image>` and, optionally, `test/<class>/<image>`.

The Snakefile uses this module to check the folders before any job starts. It imports the standard library only, and
reads folders but no images.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError

TEST_FOLDERS = {"imagenet": "val", "image_folder": "test"}  # dataset.name -> folder of the test images beside `train`
CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")  # the last range stands for bytes that are not UTF-8


class UnreadableImagesError(Exception):
    """Some image files cannot be read.

    Attributes:
        problems: one line for each file.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"{len(problems)} unreadable image(s)")
        self.problems = problems


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

    The names of classes have the Unicode form NFC, whatever form the names of the folders have.

    Args:
        path: `dataset.path`.
        test: name of the folder of the test images.

    Returns:
        {"train": {class: files}, "test": {class: files}}; "test" is empty if the folder does not exist.

    Raises:
        InputError: the folders are not as described above, there are fewer than two classes, or a class has no image.
    """
    train = {name: _list_class(folder) for name, folder in class_folders(path / "train").items()}
    if len(train) < 2:
        raise InputError(
            f"dataset.path: {path / 'train'} has {len(train)} class folder(s); expected at least 2: "
            f"put the images of each class into {path / 'train'}/<class>/"
        )
    tested = {}
    if (path / test).exists():
        tested = {name: _list_class(folder) for name, folder in class_folders(path / test).items()}
    if unknown := tested.keys() - train.keys():
        raise InputError(
            f"dataset.path: {path / test / min(unknown)} is a class that {path / 'train'} does not have; "
            f"expected {', '.join(train)}: rename or remove it"
        )
    return {"train": train, "test": tested}


def class_folders(folder: Path) -> dict[str, os.DirEntry[str]]:
    """Return the folder of every class of one part, by the name of the class, sorted.

    Args:
        folder: `<dataset.path>/train`, or the folder of the test images.

    Raises:
        InputError: the folder does not exist or cannot be read, a name is no text, a link leads nowhere, or two
            folders are the same class.
    """
    if not folder.is_dir():
        raise InputError(f"dataset.path: {folder} is no folder; put the images of each class into {folder}/<class>/")
    classes: dict[str, os.DirEntry[str]] = {}
    for entry in _visible(folder):
        if entry.is_dir() and entry.name != "lost+found":  # which a file system has at its root
            name = unicodedata.normalize("NFC", entry.name)
            if name in classes:
                raise InputError(
                    f"dataset.path: {folder} has the class {name} twice, with its accents written in two "
                    "ways of Unicode; put the images into one of the folders and remove the other one"
                )
            classes[name] = entry
        elif entry.is_symlink() and not Path(entry).exists():
            raise InputError(
                f"dataset.path: {entry.path} is a link to a place that does not exist; expected the folder of a class; "
                f"type: rm {entry.path}, or repair the link"
            )
    return dict(sorted(classes.items()))


def _list_class(folder: os.DirEntry[str]) -> list[Path]:
    images = _visible(Path(folder))
    if not images:
        raise InputError(f"dataset.path: the class folder {folder.path} is empty; put images into it or remove it")
    if nested := next((image.path for image in images if image.is_dir()), None):
        raise InputError(f"dataset.path: {nested} is a folder among images; move its images to {folder.path}")
    return [Path(image) for image in images]


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in visible:
        if CONTROL.search(entry.name):
            raise InputError(
                f"dataset.path: {os.fsencode(entry.path).decode(errors='backslashreplace')} is a name with control "
                "characters or with bytes that are not UTF-8; rename it"
            )
    return visible


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"dataset.path: {path} cannot be read ({error.strerror}); change its permissions or remove it")
