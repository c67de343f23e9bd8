"""What can be checked before any job starts, beyond the configuration itself: files, counts, limits. No torch here."""

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from nasmake.artifacts import InputError, read_json
from nasmake.catalogue import SPACES, architecture_file, read_architecture, read_mapping, space_file
from nasmake.conditions import check_conditions, repeated_trials, with_conditions
from nasmake.config import Config, Resource
from nasmake.cost import CostTable
from nasmake.data.image_folder import check_image_folder
from nasmake.latency import read_latency
from nasmake.messages import nearest
from nasmake.points import never_sampled, sampled_parameters
from nasmake.search_section import Constraint, ExpectedCost, Reward, Search
from nasmake.search_spaces import SearchSpace
from nasmake.stages import (
    chain_of,
    check_parameters,
    first_searched,
    needs_latency,
    path_of,
    possible_values,
    search_spaces_of,
    value_at,
)
from nasmake.strategies.limits import check_algorithm, check_feasible, target_of, target_of_expected_cost

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
WITH_DISTRIBUTION = ("asng", "proxyless", "reinforce")  # strategies that can search while the supernet trains


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
    if config.dataset.name == "image_folder" and not path.stem.endswith(config.dataset.name):
        _, classes, _ = _facts(config)
        content["settings"] = dict(content.get("settings", {})) | {"class_num": classes}
    return {"name": path.stem.removeprefix("config_"), "content": content}


def read_taken_architecture(config: Config) -> dict[str, Any]:
    """Read the file that nas.architecture names, whole: what differs between two files of one network is left out.

    Raises:
        InputError: there is none, it holds no network, or this run would write over it.
    """
    _, classes, _ = _facts(config)
    try:
        path = architecture_file(config.nas.architecture or "", Path())
        if path.resolve().is_relative_to(Path(config.environment.result_dir, str(config.run)).resolve()):
            raise InputError(f"{path}: lies in the results of this run; choose another `run`, or copy the file")
        architecture, content = read_architecture(path, _space_folders(config), classes)
    except InputError as error:
        raise InputError(f"nas.architecture: {error}") from None
    named = {key: content[key] for key in ("name", "source") if key in content}
    return {key: value for key, value in (architecture.to_json() | named).items() if key != "class_num"}


def source_of_networks(config: Config) -> str:
    """Which file the networks of this study come from, in a line."""
    if config.nas.architecture is not None:
        return f"architecture {architecture_file(config.nas.architecture, Path())}, without a search"
    files = [str(find_search_space(_with_space(config, name))) for name in search_spaces_of(config)]
    return f"search space{'s' * (len(files) > 1)} {', '.join(files)}"


def check(config: Config, search_space: Mapping[str, Any] | None) -> None:
    """Refuse a study that could not end well.

    Args:
        config: the study.
        search_space: what `read_search_space` returned; None, if nothing is searched.

    Raises:
        InputError: one line with the key or file, its value and what is allowed.
    """
    check_parameters(config)
    check_conditions(config)
    _check_writable("environment.result_dir", Path(config.environment.result_dir))
    _check_writable("dataset.path", Path(config.dataset.path))
    images, _, _ = _facts(config)
    held_out = config.dataset.num_data_architecture_search
    if images is not None and held_out >= images:
        raise InputError(
            f"dataset.num_data_architecture_search: {held_out} of {images} training images leave none to train on; "
            f"allowed: 1 .. {images - 1}"
        )
    _check_objectives(config)
    if search_space is not None:
        for space in search_space.get("choices", {"": search_space}).values():
            _check_space(config, space)
        if "choices" in search_space and needs_latency(config):
            raise InputError(
                "optimize.parameters: nas.search_space: a table of latencies is for one space; "
                "search without a limit on latency, or make a study for each space"
            )


def _check_objectives(config: Config) -> None:
    """Refuse a cost as objective where all trials have the same network."""
    chain, costs = chain_of(config), config.optimize.objectives[1:]
    names = [parameter.name for parameter in sampled_parameters(with_conditions(config).parameters)]
    if costs and first_searched(names, chain) == len(chain) - 1:
        raise InputError(
            f"optimize.objectives: {costs[0]}: all trials share one architecture, so it is the same in all; "
            "set [val_accuracy], or search a key of supernet or search"
        )


def _check_space(config: Config, search_space: Mapping[str, Any]) -> None:
    """Refuse a space that does not fit the data, and limits that none of its networks keeps."""
    name = search_space["name"]
    space = SearchSpace.from_mapping(search_space["content"], name, f"config_{name}.yaml")
    _, classes, shape = _facts(config)
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
    for algorithm in possible_values(config, "search.algorithm"):
        check_algorithm(algorithm, space)
    _check_type(config)
    _check_reward(config)
    _check_expected_cost(config)
    if shape is not None:
        edge, _, channels = shape
        table = needs_latency(config) and config.latency.table
        latency = read_latency(Path(table), space, channels, edge) if table else None
        _check_limits(config, CostTable(space, channels, edge, latency))


def _check_type(config: Config) -> None:
    """Refuse a sampler or a strategy that does not go with nas.type."""
    alternating = config.nas.type == "simultaneous"
    if not alternating and "asng" in possible_values(config, "supernet.sampler"):
        raise InputError(
            "supernet.sampler: asng: draws from the distribution that is searched at the same time; set nas.type: "
            "simultaneous, or choose uniform, fair or sandwich"
        )
    refused = [
        own for own in possible_values(config, "search.algorithm") if alternating and own not in WITH_DISTRIBUTION
    ]
    if refused:
        raise InputError(
            f"search.algorithm: {refused[0]}: has no distribution that could be moved while the supernet trains; "
            f"choose {', '.join(WITH_DISTRIBUTION)}, or set nas.type: separate"
        )


def _check_writable(key: str, folder: Path) -> None:
    """Refuse a folder that cannot be made or written."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{key}: {folder}: {there} is no folder that can be written; choose another")


def _check_reward(config: Config) -> None:
    """Refuse a reward, given or searched, that has no target in some trial."""
    targets = possible_values(config, "search.reward.target")
    if "mnasnet_reward" not in possible_values(config, "search.objective") or None not in targets:
        return
    for metric in possible_values(config, "search.reward.metric"):
        for limit in possible_values(config, f"search.constraint.{metric}"):
            target_of(Reward(metric=metric), Constraint.model_validate({metric: limit}))


def _check_expected_cost(config: Config) -> None:
    """Refuse a loss of expected cost, given or searched, that has no target in some trial."""
    if "proxyless" not in possible_values(config, "search.algorithm"):
        return
    names = [f"search.expected_cost.{name}" for name in ("loss", "metric", "target")]
    for loss, metric, target in product(*(possible_values(config, name) for name in names)):
        for limit in possible_values(config, f"search.constraint.{metric}") if loss != "none" else []:
            expected_cost = ExpectedCost(loss=loss, metric=metric, target=target)
            target_of_expected_cost(Search(expected_cost=expected_cost, constraint=Constraint(**{metric: limit})))


def _check_limits(config: Config, costs: CostTable) -> None:
    """Refuse limits, given or searched, that no architecture keeps; of metrics that are to be measured, none."""
    tightest = [config.search.constraint.model_dump()]
    for parameter in config.optimize.parameters:
        metric = parameter.name.removeprefix("search.constraint.")
        if metric in costs.metrics:
            limits = [limit for limit in parameter.choices or [parameter.lower] if limit is not None]
            tightest.append({metric: min(limits, default=None)})
    for given in tightest:
        known = Constraint.model_validate({metric: given.get(metric) for metric in costs.metrics})
        check_feasible(costs, config.search.model_copy(update={"constraint": known}))


def notices(config: Config) -> list[str]:
    """One line for each key that was given and has no effect in this version, or is overruled by another."""
    lengths = [config.retrain.hyperparameters.num_epochs, config.retrain.num_epochs]
    overruled = [length for length in lengths if length not in (None, config.nas.num_epochs_retrain)]
    given = {
        "dataset.retrain": {*config.dataset.retrain.model_dump().values()} - {None, config.dataset.path}
        and "retraining reads dataset.path",
        "environment.gpus": config.environment.gpus > 1 and "a job trains on one GPU",
        "environment.device_ids": config.environment.device_ids and "set CUDA_VISIBLE_DEVICES",
        "resource.type": config.resource.type != Resource().type and "choose a profile",
        "ABCI.job_script_preamble": config.ABCI.job_script_preamble and "jobs run in the environment of Snakemake",
        "ABCI.job_execution_options": config.ABCI.job_execution_options and "edit profiles/abci",
        "generic": config.generic and "choose a profile",
    }
    said = [f"{key}: without effect in this version; {instead}" for key, instead in given.items() if instead]
    if config.latency.table and not needs_latency(config):
        said.append("latency.table: without effect: no limit, reward or front of the search uses latency_ms")
    if overruled:
        winner = config.nas.num_epochs_retrain
        said.append(f"retrain: num_epochs: {overruled[0]}: overruled by nas.num_epochs_retrain: {winner}")
    return [*said, *_notices_of_conditions(config), *_notice_of_paths(config)]


def _notices_of_conditions(config: Config) -> list[str]:
    """One line for the parameters that no trial samples, and one if trials must repeat others."""
    never = never_sampled(with_conditions(config).parameters)
    values, repeated = config.model_dump(mode="json"), repeated_trials(config)
    by_key: dict[str, list[str]] = {}
    for name, key in never.items():
        by_key.setdefault(key, []).append(name)
    return [
        f"optimize.parameters: {', '.join(names)}: never sampled, for {key} is "
        + ("never sampled" if key in never else str(value_at(values, path_of(key))))
        for key, names in by_key.items()
    ] + [f"optimize.trial_number: {repeated} trials repeat others: there are no more points"] * (repeated > 0)


def _notice_of_paths(config: Config) -> list[str]:
    """One line if a number of paths was given that the sampler does not take."""
    key, sampler, paths = "supernet.paths_per_step", config.supernet.sampler, config.supernet.paths_per_step
    searched = {path_of(parameter.name) for parameter in config.optimize.parameters}
    if sampler == "fair" and paths != 1 and not searched & {key, "supernet.sampler"}:
        return [f"{key}: {paths}: without effect; sampler fair takes as many paths as the largest decision has options"]
    if sampler == "sandwich" and paths == 2 and key not in searched:
        return [f"{key}: {paths}: leaves no path between largest and smallest; sampler sandwich takes 4"]
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


def _space_folders(config: Config) -> tuple[Path, ...]:
    return Path(config.nas.search_space_config_path), SPACES


def _no_space_file(config: Config, names: list[str]) -> str:
    shipped = sorted(path.stem.removeprefix("config_").split("_")[0] for path in SPACES.glob("config_*.yaml"))
    folders = dict.fromkeys(_space_folders(config))
    places = " or ".join(f"{folder}/config_{name}.yaml" for name in names for folder in folders)
    return (
        f"nas.search_space: {config.nas.search_space!r}: no file {places}; {nearest(config.nas.search_space, shipped)}"
    )
