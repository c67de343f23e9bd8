"""Where space files and architecture files lie, and how they are found by name. No torch and no pydantic here."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from nasmake.core.errors import InputError, nearest
from nasmake.core.files import read_json
from nasmake.search_spaces import Architecture, SearchSpace

SPACES, ARCHITECTURES = Path("config/search_spaces"), Path("config/architectures")  # from the repository root
# Edge in pixels and channels of the data sets that a file's name may speak of; the first that it holds counts.
IMAGES_OF = {"digits_canvas": (12, 1), "digits": (8, 1), "cifar": (32, 3), "imagenet": (224, 3)}
EDGE_OF_CLASSES = {10: 32, 100: 32, 1000: 224}


def space_file(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of the search space `name` in the first of the folders that has one."""
    candidates = (folder / f"config_{name}.yaml" for folder in dict.fromkeys(folders))
    return next((path for path in candidates if path.is_file()), None)


def load_space(path: Path) -> SearchSpace:
    """Read a space file.

    Raises:
        InputError: it cannot be read, or describes no space.
    """
    return SearchSpace.from_mapping(read_mapping(path), path.stem.removeprefix("config_"), str(path))


def read_mapping(path: Path) -> dict[str, Any]:
    """The sections of a space file.

    Raises:
        InputError: it cannot be read, is not YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the mappings search_range and settings, found {type(content).__name__}")
    return content


def architecture_file(name_or_file: str, root: Path) -> Path:
    """The file of an architecture: a path, with a `/` or `.json` in it, or the name of a file in ARCHITECTURES.

    Args:
        name_or_file: what the user typed.
        root: the repository's root.

    Raises:
        InputError: there is none.
    """
    if "/" in name_or_file or name_or_file.endswith(".json"):
        path = Path(name_or_file)
        if not path.is_file():
            raise InputError(f"{name_or_file}: no such file; {ARCHITECTURES} has {', '.join(_published(root))}")
        return path
    if name_or_file not in _published(root):
        known = nearest(name_or_file, _published(root))
        raise InputError(f"{name_or_file!r}: no architecture of that name in {ARCHITECTURES}; {known}")
    return root / ARCHITECTURES / f"{name_or_file}.json"


def read_architecture(
    path: Path, folders: Iterable[Path], num_classes: int | None = None
) -> tuple[Architecture, dict[str, Any]]:
    """Read an architecture file and, where its search space is found by its name, compare its decisions.

    Args:
        path: the file.
        folders: where space files may lie.
        num_classes: number of classes; None: the file's.

    Returns:
        The architecture, and all that the file holds.

    Raises:
        InputError: it holds no network, or decisions that choose another one.
    """
    content = read_json(path)
    if "blocks" not in content and "reason" in content:  # what a search leaves that diverged
        raise InputError(f"{path}: holds no network ({content['reason']}); choose another file")
    architecture = Architecture.from_json(content, str(path), num_classes)
    own_space = space_file(architecture.space, folders) if architecture.space else None
    if own_space is not None:
        architecture.check_member(load_space(own_space), str(path))
    return architecture, content


def edge_and_channels(name: str, num_classes: int) -> tuple[int | None, int]:
    """Edge in pixels and channels of the images that a network called `name` is for; no edge if nothing tells it."""
    known = next((images for part, images in IMAGES_OF.items() if part in name), None)
    return known or (EDGE_OF_CLASSES.get(num_classes), 3)


def _published(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / ARCHITECTURES).glob("*.json"))
