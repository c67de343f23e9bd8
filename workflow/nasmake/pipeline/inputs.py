"""Which files the networks of a study come from: a search space, a supernet or an architecture. No torch here."""

from operator import attrgetter
from pathlib import Path
from typing import Any

from nasmake.config import Config
from nasmake.core.errors import InputError, nearest
from nasmake.core.files import digest_of, read_json
from nasmake.data.preparing.image_folder import check_image_folder
from nasmake.pipeline.searched import search_spaces_of
from nasmake.pipeline.stages import SPACE_KEY, SPLIT_KEYS
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import SPACES, architecture_file, read_architecture, read_mapping, space_file

# Training images, classes, and shape of the data sets whose content is known before they are there.
KNOWN = {
    "digits": (1200, 10, (8, 8, 1)),
    "digits_canvas": (1200, 10, (12, 12, 1)),
    "cifar10": (50000, 10, (32, 32, 3)),
    "cifar100": (50000, 100, (32, 32, 3)),
}
SPACES_OF = {  # whose space files a data set uses, in this order
    "digits_canvas": ("digits_canvas", "digits"),
    "image_folder": ("image_folder", "cifar10"),
}


def find_search_space(config: Config) -> Path:
    """The space file: it is looked up in nas.search_space_config_path, then among the shipped ones.

    Raises:
        InputError: there is none.
    """
    if not Path(config.nas.search_space_config_path).is_dir():
        raise InputError(f"nas.search_space_config_path: {config.nas.search_space_config_path}: no such folder")
    dataset = config.dataset.name
    names = [f"{config.nas.search_space}_{of}" for of in SPACES_OF.get(dataset, (dataset,))]
    found = [path for name in names if (path := space_file(name, _space_folders(config)))]
    if not found:
        raise InputError(_no_space_file(config, names))
    return found[0]


def read_search_space(config: Config) -> dict[str, Any]:
    """Read the space file: {"name", "content"}; where nas.search_space is searched, {"choices"} with one for each.

    Your own images may go through CIFAR-10's space: it then gets their number of classes.

    Raises:
        InputError: there is none, or it is not YAML.
    """
    names = search_spaces_of(config)
    spaces = {name: _read_space(_with_space(config, name)) for name in names}
    return {"choices": spaces} if len(names) > 1 else spaces[names[0]]


def _with_space(config: Config, name: str) -> Config:
    return config.model_copy(update={"nas": config.nas.model_copy(update={"search_space": name})})


def _read_space(config: Config) -> dict[str, Any]:
    path = find_search_space(config)
    content = read_mapping(path)
    borrowed = config.dataset.name == "image_folder" and not path.stem.endswith(config.dataset.name)
    if borrowed or config.dataset.name == "imagenet":  # some of its classes alone are a data set too
        _, classes, _ = dataset_facts(config)
        content["settings"] = dict(content.get("settings", {})) | {"class_num": classes}
    return {"name": path.stem.removeprefix("config_"), "content": content}


def read_imported_architecture(config: Config) -> dict[str, Any]:
    """Read the file that nas.architecture names, whole: what differs between two files of one network is left out.

    Raises:
        InputError: there is none, it holds no network, or this run would write over it.
    """
    _, classes, _ = dataset_facts(config)
    try:
        path = architecture_file(config.nas.architecture or "", Path())
        _refuse_own(config, path)
        architecture, content = read_architecture(path, _space_folders(config), classes)
    except InputError as error:
        raise InputError(f"nas.architecture: {error}") from None
    named = {key: content[key] for key in ("name", "source") if key in content}
    return {key: value for key, value in (architecture.to_json() | named).items() if key != "class_num"}


def read_imported_supernet(config: Config) -> dict[str, Any]:
    """Read the record beside the file that nas.supernet names: {"weights", "record", "digest"}.

    Raises:
        InputError: it is missing, was trained in another space or with another split of the data, or lies in this run.
    """
    try:
        return _read_imported_supernet(config, Path(config.nas.supernet or ""))
    except InputError as error:
        raise InputError(f"nas.supernet: {error}") from None


def _read_imported_supernet(config: Config, path: Path) -> dict[str, Any]:
    weights = path / "supernet.safetensors" if path.is_dir() else path
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; choose a supernet.safetensors, or its folder")
    _refuse_own(config, weights)
    record = read_json(weights.with_suffix(".json"))
    if record.get("state") != "COMPLETE" or "split" not in record:
        raise InputError(f"{weights.with_suffix('.json')}: is not of a supernet that was trained to its end")
    if SPACE_KEY in map(attrgetter("name"), config.optimize.parameters):
        raise InputError(f"{weights}: is of one space, and {SPACE_KEY} is searched; remove one of them")
    space = SearchSpace.from_mapping(_read_space(config)["content"], config.nas.search_space, "nas.search_space")
    if record["search_space"]["hash"] != space.hash:
        raise InputError(f"{weights}: was trained in the space {record['search_space']['name']}; choose that one")
    for key in SPLIT_KEYS:  # else images that it was trained on would be among those that score it
        trained, own = record["split"][key], attrgetter(key)(config)
        if trained != own:
            raise InputError(f"{weights}: was trained with {key}: {trained}; set that here too, not {own}")
    files = [weights, weights.with_suffix(".json")]
    return {"weights": str(files[0]), "record": str(files[1]), "digest": digest_of(files)}


def _refuse_own(config: Config, path: Path) -> None:
    """Refuse to take a file that this run would write over."""
    if path.resolve().is_relative_to(Path(config.environment.result_dir, str(config.run)).resolve()):
        raise InputError(f"{path}: lies in the results of this run; choose another `run`, or copy the file")


def source_of_networks(config: Config) -> str:
    """Which file the networks of this study come from, in a line."""
    if config.nas.architecture is not None:
        return f"architecture {architecture_file(config.nas.architecture, Path())}, without a search"
    files = [str(find_search_space(_with_space(config, name))) for name in search_spaces_of(config)]
    spaces = f"search space{'s' * (len(files) > 1)} {', '.join(files)}"
    return spaces if config.nas.supernet is None else f"{spaces}, supernet {config.nas.supernet}"


def dataset_facts(config: Config) -> tuple[int | None, int | None, tuple[int, int, int] | None]:
    """Training images, classes and shape, where they are known."""
    dataset = config.dataset
    manifest = Path(dataset.path) / dataset.name / "manifest.json"
    size = dataset.image_size or 0
    if dataset.name == "image_folder":
        counts = check_image_folder(Path(dataset.path))["train"]
        return sum(counts.values()), len(counts), (size, size, 3)
    if manifest.is_file():
        content = read_json(manifest)
        height, width, channels = (size, size, 3) if size else content["image_shape"]
        return content["train"]["count"], len(content["classes"]), (height, width, channels)
    if dataset.name == "imagenet":
        counts = check_image_folder(Path(dataset.path), "val")["train"]
        return sum(counts.values()), len(counts), (size, size, 3)
    images, classes, shape = KNOWN[dataset.name]
    return (None if dataset.sha256 else images), classes, shape  # an archive of one's own may hold fewer


def _space_folders(config: Config) -> tuple[Path, ...]:
    return Path(config.nas.search_space_config_path), SPACES


def _no_space_file(config: Config, names: list[str]) -> str:
    shipped = sorted(path.stem.removeprefix("config_").split("_")[0] for path in SPACES.glob("config_*.yaml"))
    folders = dict.fromkeys(_space_folders(config))
    places = " or ".join(f"{folder}/config_{name}.yaml" for name in names for folder in folders)
    return (
        f"nas.search_space: {config.nas.search_space!r}: no file {places}; {nearest(config.nas.search_space, shipped)}"
    )
