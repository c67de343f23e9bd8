"""Find space files and architecture files by name, and read them.

Parsing their content lives in space_file.py and architecture_file.py. This module imports core, its own room.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError, nearest, shown
from nasmake.core.files import is_file, read_json, read_text
from nasmake.core.yaml_text import parse_yaml
from nasmake.search_spaces import Architecture, OwnOperation, SearchSpace
from nasmake.search_spaces.blocks import ZERO
from nasmake.search_spaces.own_operations import operations_of, read_operations
from nasmake.search_spaces.spec import OPERATIONS

BUILT_IN = frozenset({*OPERATIONS, ZERO})
SPACES, ARCHITECTURES = Path("config/search_spaces"), Path("config/architectures")  # from the repository root
# Edge in pixels and channels of the images of known data sets, by a part of a file's name. The first match counts, so
# digits_canvas stands before digits.
IMAGES_OF = {"digits_canvas": (12, 1), "digits": (8, 1), "mnist": (28, 1), "cifar": (32, 3), "imagenet": (224, 3)}
EDGE_OF_CLASSES = {10: 32, 100: 32, 1000: 224}  # edge in pixels, by the number of classes


def space_file(name: str, folders: Iterable[Path]) -> Path | None:
    """Return the file of the search space `name` in the first of the folders that has one."""
    candidates = (folder / f"config_{name}.yaml" for folder in dict.fromkeys(folders))
    return next((path for path in candidates if is_file(path)), None)


def given_operations(path: Path | None) -> dict[str, OwnOperation]:
    """Return the operations of a Python file that a user named to be run; none without a file.

    Raises:
        InputError: there is no such file, or it has no operations.
    """
    return operations_of(None if path is None else read_operations(path, BUILT_IN), may_run=True)


def load_space(path: Path, own: Mapping[str, OwnOperation] | None = None) -> SearchSpace:
    """Read a space file.

    Args:
        path: the file.
        own: operations that a user wrote, by name.

    Raises:
        InputError: the file cannot be read, or does not describe a search space.
    """
    return SearchSpace.from_mapping(read_mapping(path), path.stem.removeprefix("config_"), str(path), own)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the sections of a space file; their content is not validated.

    Raises:
        InputError: the file cannot be read, is not YAML, or holds no mapping.
    """
    content = parse_yaml(read_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the mappings search_range and settings, found {type(content).__name__}")
    return content


def architecture_file(name_or_file: str, root: Path) -> Path:
    """Return the path of an architecture file.

    Args:
        name_or_file: a path, which contains `/` or ends in `.json`, or the name of a file in ARCHITECTURES.
        root: the repository's root.

    Raises:
        InputError: there is no such file.
    """
    published = sorted(path.stem for path in (root / ARCHITECTURES).glob("*.json"))
    if "/" in name_or_file or name_or_file.endswith(".json"):
        path = Path(name_or_file)
        if not is_file(path):
            raise InputError(f"{shown(name_or_file)}: no such file; {ARCHITECTURES} has {', '.join(published)}")
        return path
    if name_or_file not in published:
        known = nearest(name_or_file, published)
        raise InputError(f"{shown(name_or_file)!r}: no architecture of that name in {ARCHITECTURES}; {known}")
    return root / ARCHITECTURES / f"{name_or_file}.json"


def read_architecture(
    path: Path,
    folders: Iterable[Path],
    num_classes: int | None = None,
    own: Mapping[str, OwnOperation] | None = None,
) -> tuple[Architecture, dict[str, Any]]:
    """Read an architecture file. If its search space is found by name, check its decisions against the space.

    Args:
        path: the file.
        folders: folders of space files.
        num_classes: number of classes; None: the file's `class_num`.
        own: operations of the user that may run, by name.

    Returns:
        The architecture, and the whole content of the file.

    Raises:
        InputError: the file holds no network, or its decisions choose another network.
    """
    content = read_json(path)
    if "blocks" not in content and "reason" in content:  # a search that ended early writes such a file
        raise InputError(f"{path}: holds no network ({shown(content['reason'])}); choose another file")
    architecture = Architecture.from_json(content, str(path), num_classes, own)
    path_of_space = space_file(architecture.space, folders) if architecture.space else None
    if path_of_space is not None:
        own = own or operations_of(content.get("operations"), may_run=False)
        architecture.check_member(load_space(path_of_space, own), str(path))
    return architecture, content


def edge_and_channels(name: str, num_classes: int) -> tuple[int | None, int]:
    """Return edge in pixels and channels of the images that a network is meant for.

    Args:
        name: name of the network's file or search space; the name of a known data set in it counts first.
        num_classes: the network's number of classes.

    Returns:
        Edge and channels; None for the edge if neither name nor classes tell it.
    """
    images = next((images for part, images in IMAGES_OF.items() if part in name), None)
    return images or (EDGE_OF_CLASSES.get(num_classes), 3)
