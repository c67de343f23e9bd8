"""The file of a run that holds the facts about a prepared data set, and in its provenance the folder of the arrays.

Prepared data sets are shared by all runs. A run compares all facts of its own file with the manifest before it opens
the arrays, so it notices when another run has prepared another data set in that folder. NumPy is not needed here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.provenance import PROVENANCE
from nasmake.data.manifest import MANIFEST

FACTS = ("name", "classes", "image_shape", "mean", "std", "train", "test", "sha256", "stored")


def write_pointer(path: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the facts about the data set that is prepared in `folder`."""
    facts = {name: manifest[name] for name in FACTS if name in manifest}
    write_json(path, facts | {PROVENANCE: manifest[PROVENANCE] | {"folder": str(folder)}})


def read_pointer(path: Path) -> Path:
    """Return the folder of the prepared data set that a file of a run names; that of a manifest is its own folder.

    Raises:
        InputError: the folder holds no data set, or another one.
    """
    if path.name == MANIFEST:  # a job that is started by hand may name the data set itself
        return path.parent
    content = read_json(path)
    try:
        folder = Path(content[PROVENANCE]["folder"])
    except (KeyError, TypeError):
        raise InputError(
            f"{path}: provenance.folder is missing; type: rm {path}, then the same command again"
        ) from None
    manifest = read_json(folder / MANIFEST)
    if differing := [name for name in FACTS if manifest.get(name) != content.get(name)]:
        raise InputError(
            f"{folder}: holds another data set than {path} says: {differing[0]} differs; type: the same command again"
        )
    return folder
