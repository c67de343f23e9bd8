"""What can be checked before any job starts, beyond the configuration itself: files, counts, limits. No torch here."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nasmake.artifacts import InputError, read_json
from nasmake.config import Config, Constraint, Resource
from nasmake.cost import CostTable
from nasmake.data.image_folder import check_image_folder
from nasmake.messages import nearest
from nasmake.search_spaces import SearchSpace
from nasmake.stages import check_parameters, path_of
from nasmake.strategies.limits import METRICS, check_feasible

SHIPPED_SPACES = Path("config/search_spaces")

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


def read_search_space(config: Config) -> dict[str, Any]:
    """Find and read the space file: {"name", "content"}.

    It is looked up in nas.search_space_config_path, then among the shipped ones. Your own images may go through
    CIFAR-10's space: it then gets their number of classes.

    Raises:
        InputError: there is none, or it is not YAML.
    """
    if not Path(config.nas.search_space_config_path).is_dir():
        raise InputError(f"nas.search_space_config_path: {config.nas.search_space_config_path}: no such folder")
    dataset = config.dataset.name
    names = [f"{config.nas.search_space}_{of}" for of in SPACES_OF.get(dataset, (dataset,))]
    folders = dict.fromkeys((Path(config.nas.search_space_config_path), SHIPPED_SPACES))
    candidates = [folder / f"config_{name}.yaml" for name in names for folder in folders]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise InputError(_no_space_file(config, candidates))
    content = _read_mapping(path)
    if dataset == "image_folder" and not path.stem.endswith(dataset):
        _, classes, _ = _facts(config)
        content["settings"] = dict(content.get("settings", {})) | {"class_num": classes}
    return {"name": path.stem.removeprefix("config_"), "content": content}


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the mappings search_range and settings, found {type(content).__name__}")
    return content


def check(config: Config, search_space: Mapping[str, Any]) -> None:
    """Refuse a study that could not end well.

    Raises:
        InputError: one line with the key or file, its value and what is allowed.
    """
    check_parameters(config)
    _check_writable("environment.result_dir", Path(config.environment.result_dir))
    _check_writable("dataset.path", Path(config.dataset.path))
    name = search_space["name"]
    space = SearchSpace.from_mapping(search_space["content"], name, f"config_{name}.yaml")
    images, classes, shape = _facts(config)
    if classes is not None and space.class_num != classes:
        raise InputError(
            f"config_{name}.yaml: settings.class_num: {space.class_num}; {config.dataset.name} has {classes} classes"
        )
    subset = config.dataset.num_search_classes
    if subset is not None and subset != space.class_num:
        raise InputError(
            f"dataset.num_search_classes: {subset}: searching on some of the classes is not in this version; "
            f"allowed: null or {space.class_num}"
        )
    held_out = config.dataset.num_data_architecture_search
    if images is not None and held_out >= images:
        raise InputError(
            f"dataset.num_data_architecture_search: {held_out} of {images} training images leave none to train on; "
            f"allowed: 1 .. {images - 1}"
        )
    if shape is not None:
        _check_limits(config, CostTable(space, shape[2], shape[0]))


def _check_writable(key: str, folder: Path) -> None:
    """Refuse a folder that cannot be made or written."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{key}: {folder}: {there} is no folder that can be written; choose another")


def _check_limits(config: Config, costs: CostTable) -> None:
    """Refuse limits, given or searched, that no architecture keeps."""
    check_feasible(costs, config.search)
    for parameter in config.optimize.parameters:
        metric = parameter.name.removeprefix("search.constraint.")
        if metric in METRICS:
            limits = [limit for limit in parameter.choices or [parameter.lower] if limit is not None]
            tightest = Constraint.model_validate({metric: int(min(limits, default=2**62))})
            check_feasible(costs, config.search.model_copy(update={"constraint": tightest}))


def notices(config: Config) -> list[str]:
    """One line for each key that was given and has no effect in this version, or is overruled by another."""
    lengths = [config.retrain.hyperparameters.num_epochs, config.retrain.num_epochs]
    overruled = [length for length in lengths if length not in (None, config.nas.num_epochs_retrain)]
    given = {
        "dataset.retrain": {*config.dataset.retrain.model_dump().values()} - {None, config.dataset.path}
        and "retraining reads dataset.path",
        "environment.gpus": config.environment.gpus > 1 and "a job trains on one GPU",
        "environment.device_ids": config.environment.device_ids and "set CUDA_VISIBLE_DEVICES",
        "resource": config.resource != Resource() and "choose a profile",
        "ABCI.job_script_preamble": config.ABCI.job_script_preamble and "jobs run in the environment of Snakemake",
        "ABCI.job_execution_options": config.ABCI.job_execution_options and "edit profiles/abci",
        "generic": config.generic and "choose a profile",
    }
    said = [f"{key}: without effect in this version; {instead}" for key, instead in given.items() if instead]
    if overruled:
        winner = config.nas.num_epochs_retrain
        said.append(f"retrain: num_epochs: {overruled[0]}: overruled by nas.num_epochs_retrain: {winner}")
    return [*said, *_notice_of_paths(config)]


def _notice_of_paths(config: Config) -> list[str]:
    """One line if a number of paths was given, or is searched, that the sampler does not take."""
    key, sampler, paths = "supernet.paths_per_step", config.supernet.sampler, config.supernet.paths_per_step
    searched = {path_of(parameter.name): parameter.name for parameter in config.optimize.parameters}
    given = f"optimize.parameters: {searched[key]}" if key in searched else f"{key}: {paths}"
    if sampler == "fair" and "supernet.sampler" not in searched and (paths != 1 or key in searched):
        return [f"{given}: without effect; sampler fair takes as many paths as the largest decision has options"]
    if sampler == "sandwich" and paths == 2 and key not in searched:
        return [f"{given}: leaves no path between largest and smallest; sampler sandwich takes 4"]
    return []


def _facts(config: Config) -> tuple[int | None, int | None, tuple[int, int, int] | None]:
    """Training images, classes and shape, where they are known."""
    dataset = config.dataset
    manifest = Path(dataset.path) / dataset.name / "manifest.json"
    if dataset.name == "image_folder":
        counts = check_image_folder(Path(dataset.path))["train"]
        size = dataset.image_size or 0
        return sum(counts.values()), len(counts), (size, size, 3)
    if manifest.is_file():
        content = read_json(manifest)
        height, width, channels = content["image_shape"]
        return content["train"]["count"], len(content["classes"]), (height, width, channels)
    images, classes, shape = KNOWN[dataset.name]
    return (None if dataset.sha256 else images), classes, shape  # an archive of one's own may hold fewer


def _no_space_file(config: Config, candidates: list[Path]) -> str:
    shipped = sorted(path.stem.removeprefix("config_").split("_")[0] for path in SHIPPED_SPACES.glob("config_*.yaml"))
    places = " or ".join(map(str, candidates))
    return (
        f"nas.search_space: {config.nas.search_space!r}: no file {places}; {nearest(config.nas.search_space, shipped)}"
    )
