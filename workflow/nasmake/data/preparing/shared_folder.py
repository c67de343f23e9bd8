"""The folder of a prepared data set, which runs, checkouts and hosts may share.

A set is prepared in a private folder beside its place and renamed into it as a whole. Processes that read the set at
this moment keep the files that they have opened.
"""

import fcntl
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import sha256_of, sweep_temporaries, sync_folder, temporary_for
from nasmake.core.provenance import PROVENANCE
from nasmake.data.manifest import ARRAYS, MANIFEST, read_manifest
from nasmake.data.preparing.listing import LISTING

log = logging.getLogger(__name__)


def intact_manifest(folder: Path, settings: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the manifest of a set that was made from the same settings and whose arrays have their checksums.

    Args:
        folder: of the prepared set.
        settings: `settings` of the manifest.
        images: entries of the provenance block for the image files that the set was made from.

    Returns:
        None if there is no such set.
    """
    if not (folder / MANIFEST).exists():
        return None
    try:
        manifest = read_manifest(folder)
        found = {file: sha256_of(folder / file) for file in ARRAYS}
    except (InputError, OSError) as error:
        log.info("data set: damaged (%s); it is made again", error)
        return None
    if found != manifest["sha256"]:
        wrong = min(file for file in ARRAYS if found[file] != manifest["sha256"][file])
        log.info("data set: %s is damaged; the set is made again", folder / wrong)
    elif manifest.get("settings") != settings or _images_of(manifest) != images:
        log.info("data set: %s was made from other settings or images; it is made again", folder)
    else:
        log.info("data set: %s (already there, all checksums ok)", folder)
        return manifest
    return None


def _images_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.get(PROVENANCE, {}).items() if key in ("listing", "images")}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a set, the file `.<name>.lock` beside its folder, and sweep what dead processes left there."""
    parent = folder.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f".{folder.name}.lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting: another process prepares %s", folder)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError:  # the file system has no locks: two processes may prepare the set, and the later one wins
            log.info("no lock: the file system of %s has none", folder)
        sweep_temporaries(parent)
        yield


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a private folder, and put it in the place of `folder` afterwards; remove it after an exception."""
    target = folder.resolve()
    _refuse_files_of_others(folder)
    private, replaced = temporary_for(target), temporary_for(target.with_name(f"{target.name}-replaced"))
    try:
        private.mkdir()
        yield private
        sync_folder(private)
        if target.exists():  # a rename replaces no folder that has files
            target.rename(replaced)
        private.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(private, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def _refuse_files_of_others(folder: Path) -> None:
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.name not in ARRAYS | {MANIFEST, LISTING} and not path.name.startswith("."):
            raise InputError(
                f"dataset.path: {path} is no file of a prepared data set; expected none in {folder}, because this "
                f"folder is replaced; type: mv {path} {folder.parent}"
            )
