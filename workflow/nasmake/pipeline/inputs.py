"""Find and read the files that the networks of a study come from: a search space, a supernet or an architecture.

The facts about known data sets are here too. The Snakefile imports this module, so it loads no torch. It imports core,
config, search_spaces and the parts of data that list images and read manifests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from nasmake.config import Config
from nasmake.core.errors import InputError, nearest, shown
from nasmake.core.files import digest_of, read_json, sha256_of
from nasmake.data.manifest import read_manifest
from nasmake.data.preparing.image_folder import TEST_FOLDERS, check_image_folder
from nasmake.pipeline.data_folders import listing_of, prepared_folder
from nasmake.pipeline.searched import search_spaces_of
from nasmake.pipeline.stages import SPACE_KEY, SPLIT_KEYS
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import (
    BUILT_IN,
    SPACES,
    architecture_file,
    read_architecture,
    read_mapping,
    space_file,
)
from nasmake.search_spaces.own_operations import KEY, operations_of, read_operations

# Number of training images, number of classes, and image shape [height, width, channels] of data sets that may not
# have been prepared yet.
KNOWN = {
    "digits": (1200, 10, (8, 8, 1)),
    "digits_canvas": (1200, 10, (12, 12, 1)),
    "mnist": (60000, 10, (28, 28, 1)),
    "fashion_mnist": (60000, 10, (28, 28, 1)),
    "cifar10": (50000, 10, (32, 32, 3)),
    "cifar100": (50000, 100, (32, 32, 3)),
}
# A data set uses the space files of these data sets, the first one that exists; any other data set uses its own.
SPACES_OF = {
    "digits_canvas": ("digits_canvas", "digits"),
    "mnist": ("mnist", "fashion_mnist"),
    "image_folder": ("image_folder", "cifar10"),
}


def read_own_operations(config: Config) -> dict[str, Any] | None:
    """Return what is known of the file nas.operations without running it; None if the study names none.

    Returns:
        {"file", "sha256", "names"}.

    Raises:
        InputError: there is no such file, it lies among results, or it has no operations.
    """
    if config.nas.operations is None:
        return None
    path, results = Path(config.nas.operations), config.environment.result_dir
    if path.resolve().is_relative_to(Path(results).resolve()):
        raise InputError(
            f"{KEY} is {path}; expected a file outside of {results} (environment.result_dir), because nasmake runs no "
            "code from a folder of results; copy the file"
        )
    try:
        return read_operations(path, BUILT_IN)
    except InputError as error:
        raise InputError(str(error), KEY) from None


def find_search_space(config: Config, name: str | None = None) -> Path:
    """Return the space file, from nas.search_space_config_path or else from the shipped files.

    Args:
        config: the configuration.
        name: name of the search space; None for nas.search_space.

    Raises:
        InputError: there is no such file.
    """
    if not Path(config.nas.search_space_config_path).is_dir():
        raise InputError(f"nas.search_space_config_path is {config.nas.search_space_config_path}; no such folder")
    name, dataset, folders = name or config.nas.search_space, config.dataset.name, _space_folders(config)
    file_names = [f"{name}_{suffix}" for suffix in SPACES_OF.get(dataset, (dataset,))]
    path = next((path for file_name in file_names if (path := space_file(file_name, folders))), None)
    if path is None:
        shipped = {path.stem.removeprefix("config_").split("_")[0] for path in SPACES.glob("config_*.yaml")}
        candidates = [f"{folder}/config_{file}.yaml" for file in file_names for folder in dict.fromkeys(folders)]
        raise InputError(
            f"nas.search_space is {shown(name)}; no file {' or '.join(candidates)}; {nearest(name, shipped)}"
        )
    return path


def read_search_space(config: Config) -> dict[str, Any]:
    """Read the space file of a study, or all of them if nas.search_space is searched.

    The space of an image_folder gets the number of classes of the images if it was written for CIFAR-10. The space of
    imagenet always does, because a folder with some of its classes is a valid data set.

    Returns:
        {"name", "content"}, and "operations" with nas.operations; if nas.search_space is searched, {"choices"} with
        such a mapping for each name.

    Raises:
        InputError: there is no such file, or it is not YAML.
    """
    names = search_spaces_of(config)
    spaces = {name: _read_space(config, name) for name in names}
    return {"choices": spaces} if len(names) > 1 else spaces[names[0]]


def _read_space(config: Config, name: str) -> dict[str, Any]:
    path = find_search_space(config, name)
    content = read_mapping(path)
    dataset = config.dataset.name
    if dataset == "imagenet" or (dataset == "image_folder" and not path.stem.endswith(dataset)):
        classes = dataset_facts(config).num_classes
        content["settings"] = dict(content.get("settings", {})) | {"class_num": classes}
    own = read_own_operations(config)
    read = {"name": path.stem.removeprefix("config_"), "content": content}
    return read if own is None else read | {"operations": own}


def read_imported_architecture(config: Config) -> dict[str, Any]:
    """Read the network in the file that nas.architecture names.

    Returns:
        The architecture with its name and source. Scores, provenance and the number of classes are left out, so that
        two files with the same network give the same params.

    Raises:
        InputError: there is no such file, it holds no network, or this run would overwrite it.
    """
    classes = dataset_facts(config).num_classes
    try:
        path = architecture_file(config.nas.architecture or "", Path())
        _check_not_of_this_run(config, path)
        own = operations_of(read_own_operations(config), may_run=True)
        architecture, content = read_architecture(path, _space_folders(config), classes, own)
        for operation in architecture.spec.own_operations:
            operation.check_permission()
    except InputError as error:
        raise InputError(str(error), "nas.architecture") from None
    named = {key: content[key] for key in ("name", "source") if key in content}
    return {key: value for key, value in (architecture.to_json() | named).items() if key != "class_num"}


def read_imported_supernet(config: Config) -> dict[str, Any]:
    """Return the files of nas.supernet, and the digest of the record, which holds the checksum of the weights.

    Returns:
        {"weights", "record", "digest"}.

    Raises:
        InputError: a file is missing, the supernet was trained in another space or with another split of the data, or
            this run would overwrite it.
    """
    path = Path(config.nas.supernet or "")
    weights = path / "supernet.safetensors" if path.is_dir() else path
    record = weights.with_suffix(".json")
    try:
        _check_supernet(config, weights, record)
    except InputError as error:
        raise InputError(str(error), "nas.supernet") from None
    return {"weights": str(weights), "record": str(record), "digest": digest_of([record])}


def _check_supernet(config: Config, weights: Path, record_file: Path) -> None:
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; expected a supernet.safetensors, or its folder")
    _check_not_of_this_run(config, weights)
    record = read_json(record_file)
    if record.get("state") != "COMPLETE" or "split" not in record:
        raise InputError(f"{record_file}: expected the record of a supernet that was trained to its end")
    if record.get("weights") != (found := sha256_of(weights)):
        raise InputError(
            f"{weights}: checksum is {found}; expected {shown(record.get('weights'))}, which {record_file} names; "
            "copy both files from the run that trained the supernet"
        )
    if SPACE_KEY in [parameter.name for parameter in config.optimize.parameters]:
        raise InputError(f"{weights}: has one search space, but {SPACE_KEY} is searched; remove one of them")
    read = _read_space(config, config.nas.search_space)
    trained = record["search_space"]
    space = SearchSpace.from_settings(read, "nas.search_space")
    if trained["hash"] != space.hash:
        raise InputError(
            f"{weights}: search_space is {trained['name']} ({trained['hash']}); expected {space.name} ({space.hash}), "
            "which this study searches"
        )
    for key in SPLIT_KEYS:  # with another split, train images of the supernet could be among the val images
        value, expected = record["split"].get(key), attrgetter(key)(config)  # an earlier version had fewer keys
        if value != expected:
            raise InputError(f"{weights}: {key} is {shown(value)}; expected {shown(expected)}, the value of this study")


def _check_not_of_this_run(config: Config, path: Path) -> None:
    if path.resolve().is_relative_to(config.run_folder.resolve()):
        raise InputError(
            f"{path}: lies in the results of this run, which would overwrite it; change `run`, or copy the file"
        )


def source_of_networks(config: Config) -> str:
    """Return a phrase for the file that the networks of a study come from."""
    if config.nas.architecture is not None:
        return f"architecture {architecture_file(config.nas.architecture, Path())}, without a search"
    files = [str(find_search_space(config, name)) for name in search_spaces_of(config)]
    spaces = f"search space{'s' * (len(files) > 1)} {', '.join(files)}"
    return spaces if config.nas.supernet is None else f"{spaces}, supernet {config.nas.supernet}"


@dataclass(frozen=True)
class DatasetFacts:
    """The facts about a data set that are known before any job.

    Attributes:
        images: number of training images; None if it is unknown.
        per_class: number of training images by the name of the class; None if it is unknown.
        num_classes: number of classes.
        size: height and width of an image in pixels.
        channels: channels of an image; None if dataset.channels is auto and the images were not decoded yet.
    """

    images: int | None
    per_class: Mapping[str, int] | None
    num_classes: int
    size: int
    channels: int | None


def dataset_facts(config: Config, path: str | None = None) -> DatasetFacts:
    """Return the facts about a data set: those of the prepared set, of the folder of images, or of KNOWN.

    Args:
        config: the configuration of the study.
        path: folder of the source; None for dataset.path.
    """
    dataset, path = config.dataset, path or config.dataset.path
    listing = listing_of(config, path)
    if manifest := _readable_manifest(prepared_folder(config, listing, path)):
        height, _, channels = manifest["image_shape"]
        count, per_class = manifest["train"]["count"], manifest["train"]["per_class"]
        return DatasetFacts(count, per_class, len(manifest["classes"]), height, channels)
    if dataset.name in TEST_FOLDERS:
        counts = check_image_folder(Path(path), TEST_FOLDERS[dataset.name])["train"]
        given = None if dataset.channels == "auto" else dataset.channels
        known = 3 if dataset.name == "imagenet" else given
        return DatasetFacts(sum(counts.values()), counts, len(counts), dataset.image_size or 0, known)
    images, classes, (height, _, channels) = KNOWN[dataset.name]
    count = None if dataset.sha256 else images  # an own archive may hold fewer
    return DatasetFacts(count, None, classes, height, channels)


def _readable_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a prepared data set; None if it is missing or damaged, because it will be made again."""
    try:
        return read_manifest(folder)
    except InputError:
        return None


def _space_folders(config: Config) -> tuple[Path, ...]:
    return Path(config.nas.search_space_config_path), SPACES
