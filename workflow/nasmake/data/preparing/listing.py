"""The listing of an image folder: the sizes and times of its files, by which a change of the images is noticed.

The Snakefile reads listings before any job starts. This module imports the standard library only, and opens no image.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nasmake.core.errors import InputError, cut
from nasmake.data.preparing.image_folder import TEST_FOLDERS, class_folders, list_images

LISTING = "listing.tsv"  # in the folder of a prepared set


@dataclass(frozen=True)
class Listing:
    """The files of an image folder.

    Attributes:
        entries: size in bytes and time in nanoseconds of each image, by its path below dataset.path. The images of
            imagenet are too many to look at each of them whenever Snakemake starts. Its entries are the class folders,
            whose times change when an image is added, removed or renamed.
    """

    entries: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, name: str, path: Path) -> Self | None:
        """Return the listing of the images of a data set; None for a data set that is no image folder.

        Args:
            name: `dataset.name`.
            path: `dataset.path`.

        Raises:
            InputError: see `list_images`.
        """
        if name not in TEST_FOLDERS:
            return None
        if name == "imagenet":
            parts = [path / part for part in ("train", TEST_FOLDERS[name])]
            folders = [Path(entry) for part in parts if part.exists() for entry in class_folders(part).values()]
            return cls({str(folder.relative_to(path)): (0, folder.stat().st_mtime_ns) for folder in folders})
        parts_of_classes = list_images(path, TEST_FOLDERS[name]).values()
        images = [image for classes in parts_of_classes for paths in classes.values() for image in paths]
        return cls({str(image.relative_to(path)): _size_and_time(image) for image in images})

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the file that `text` was written to; None if it is missing or damaged."""
        try:
            rows = [line.split("\t") for line in path.read_text().splitlines()]
            return cls({name: (int(size), int(time)) for size, time, name in rows})
        except (OSError, ValueError):
            return None

    @property
    def text(self) -> str:
        """One line for each entry: size, time and path."""
        return "".join(f"{size}\t{time}\t{name}\n" for name, (size, time) in self.entries.items())

    @property
    def digest(self) -> str:
        """SHA-256 checksum of the listing."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def changes_since(self, before: Self) -> str:
        """Return a phrase for what was added, removed and changed, such as `1 class added (dog), 4 images added`."""
        return ", ".join([*self._changed_classes(before), *self._changed_entries(before)])

    def _changed_classes(self, before: Self) -> Iterator[str]:
        now, then = ({name.split("/")[1] for name in listing.entries} for listing in (self, before))
        for names, verb in ((now - then, "added"), (then - now, "removed")):
            if names:
                yield f"{_counted(len(names), 'class', 'classes')} {verb} ({cut(', '.join(sorted(names)))})"

    def _changed_entries(self, before: Self) -> Iterator[str]:
        now, then = self.entries, before.entries
        nouns = ("image", "images") if any(name.count("/") == 2 for name in now) else ("class folder", "class folders")
        numbers = {
            "added": len(now.keys() - then.keys()),
            "removed": len(then.keys() - now.keys()),
            "changed": sum(now[name] != then[name] for name in now.keys() & then.keys()),
        }
        for verb, number in numbers.items():
            if number:
                yield f"{_counted(number, *nouns)} {verb}"


def check_unchanged(path: Path, listing: Listing | None, told: str | None) -> None:
    """Refuse an image folder that is not the one that the job was told to prepare.

    Args:
        path: `dataset.path`.
        listing: of the folder as it is now.
        told: digest of the folder when the job was planned; None if the job was not told.

    Raises:
        InputError: the digests differ.
    """
    if listing is not None and told is not None and listing.digest != told:
        raise InputError(
            f"dataset.path: {path} changed while the study ran; expected the images as they were at its start; "
            "type: the same command again"
        )


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _size_and_time(image: Path) -> tuple[int, int]:
    """Return the size of a file in bytes and its time in nanoseconds; zeros for a link to a missing file.

    The preparation reports this file together with all other images that cannot be read.
    """
    try:
        facts = image.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
