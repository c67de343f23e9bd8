"""Checks of a whole study before any job starts: folders, numbers of images and classes, limits, searched keys.

The configuration checks each section by itself; conditions of hyperparameters are in `conditions`. The Snakefile
imports this module, so it loads no torch. It imports core, config, search_spaces, costs, strategies and study.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from nasmake.config import Config, keys
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.config.search import Constraint, ExpectedCost, Reward, Search
from nasmake.core.errors import InputError, cut, nearest
from nasmake.costs.latency_table import read_latency
from nasmake.costs.table import CostTable
from nasmake.data.manifest import MANIFEST
from nasmake.data.preparing.image_folder import TEST_FOLDERS
from nasmake.pipeline.conditions import check_conditions, check_value, with_conditions
from nasmake.pipeline.data_folders import first_existing, is_writable, place_of
from nasmake.pipeline.inputs import dataset_facts
from nasmake.pipeline.searched import needs_latency, possible_values, values_of
from nasmake.pipeline.stages import RESOLVED_KEYS, chain_of, first_searched, stage_of
from nasmake.search_spaces import SearchSpace
from nasmake.strategies import STRATEGIES
from nasmake.strategies.constraints import check_algorithm, check_feasible, target_of, target_of_expected_cost
from nasmake.study.parameter_space import sampled_parameters

WITH_DISTRIBUTION = tuple(name for name, entry in STRATEGIES.items() if entry.has_distribution)


def check(config: Config, search_space: Mapping[str, Any] | None) -> None:
    """Refuse a study that would fail in one of its jobs.

    Args:
        config: the configuration of the study.
        search_space: the return value of `read_search_space`; None if the study does not search.

    Raises:
        InputError: one line with the key or file, its value and what is expected.
    """
    check_parameters(config)
    check_conditions(config)
    _check_writable("environment.result_dir", Path(config.environment.result_dir))
    is_prepared = Path(place_of(config, config.dataset.name), MANIFEST).is_file()
    if config.dataset.name not in TEST_FOLDERS and not is_prepared:  # images can be prepared elsewhere
        _check_writable("dataset.path", Path(config.dataset.path))
    _check_images(config)
    _check_classes_of_retraining(config)
    _check_objectives(config)
    _check_skipped_stages(config)
    _check_batch_sizes(config)
    if search_space is None:
        return
    for space in search_space.get("choices", {"": search_space}).values():
        _check_space(config, space)
    if "choices" in search_space and needs_latency(config):
        raise InputError(
            "optimize.parameters: nas.search_space is searched; expected one search space, because a latency table "
            "fits one space only: remove every use of latency_ms, or make one study per space"
        )


def check_parameters(config: Config) -> None:
    """Refuse hyperparameters that name no searchable key, name a key twice, or can take a value that the key refuses.

    Raises:
        InputError: one line with the name of the hyperparameter.
    """
    searchable = {path for path in keys() if stage_of(path) and not path.startswith("dataset.")} - RESOLVED_KEYS
    seen: set[str] = set()
    for parameter in config.optimize.parameters:
        name, path = parameter.name, path_of(parameter.name)
        location = "config: optimize.parameters"
        if path not in searchable:
            hint = nearest(name, [*ALIASES, *searchable])
            raise InputError(f"{location}: name is {name}, which is not a key that can be searched; {hint}")
        if path in seen:
            raise InputError(f"{location}: {name} is searched twice; expected one entry for {path}")
        seen.add(path)
        if stage_of(path, chain_of(config)) is None:
            skipping, value = "nas.supernet" if config.nas.architecture is None else "nas.architecture", "null"
            if stage_of(path) == "retrain":
                skipping, value = "nas.skip_retrain", "false"
            raise InputError(
                f"{location}: {name} belongs to stage {stage_of(path)}, which {skipping} skips; remove {name} (without "
                f"parameters set optimize.trial_number: 1), or set {skipping}: {value}"
            )
        for choice in values_of(parameter):
            check_value(config, path, choice, f"{location}: {name}")


def _check_writable(key: str, folder: Path) -> None:
    """Refuse a folder that a job could neither create nor write to."""
    if not is_writable(folder):
        raise InputError(
            f"{key} is {folder}; expected a folder that can be written, but {first_existing(folder)} is none"
        )


def _check_images(config: Config) -> None:
    """Refuse a split that leaves a class without a training image, and a baseline for images that stay files."""
    dataset = config.dataset
    for path in dict.fromkeys((dataset.path, dataset.retrain.train or dataset.path)):
        facts, source = dataset_facts(config, path), dataset.name if path == dataset.path else path
        _check_split(config, facts.images, facts.num_classes, source)
        _check_augmentation(config, facts.size)
    if config.final.baseline and dataset.name == "imagenet":
        raise InputError(
            "final.baseline is true; expected false for imagenet, because the baseline needs all images in memory"
        )


def _check_augmentation(config: Config, size: int) -> None:
    """Refuse augmentation that can leave nothing of an image of `size` x `size` pixels; 0 if the size is unknown."""
    for key in ("dataset.crop_padding", "retrain.cutout_length"):
        largest = max(value or 0 for value in possible_values(config, key))
        if size and largest >= size:
            raise InputError(f"{key} is {largest}; expected less than {size}, the height and width of the images")


def _check_split(config: Config, images: int | None, classes: int, source: str) -> None:
    """Refuse numbers of images that the training images of one folder do not have; `images` is None if unknown."""
    num_train, num_val = config.dataset.num_train, config.dataset.num_data_architecture_search
    if num_train is not None and images is not None and not classes <= num_train <= images:
        raise InputError(
            f"dataset.num_train is {num_train}; expected null or {classes} to {images}, because {source} has {images} "
            f"training images of {classes} classes"
        )
    used = num_train or images
    if used is not None and num_val > used - classes:
        reason = f"dataset.num_train is {used}" if num_train else f"{source} has {used} training images"
        raise InputError(
            f"dataset.num_data_architecture_search is {num_val}; expected 1 to {used - classes}, because {reason} and "
            f"each of the {classes} classes keeps one for training"
        )


def _check_classes_of_retraining(config: Config) -> None:
    """Refuse folders for retraining and the test whose classes are not those of the search."""
    dataset = config.dataset
    for key, path in dataset.retrain:
        if path is None:
            continue
        expected, found = (dataset_facts(config, folder).per_class for folder in (dataset.path, path))
        if expected is not None and found is not None and found.keys() != expected.keys():
            other = min(found.keys() ^ expected.keys())
            raise InputError(
                f"dataset.retrain.{key} is {path}; expected a folder with the classes of {dataset.path}, which are "
                f"{cut(', '.join(sorted(expected)))}; it {'lacks' if other in expected else 'also has'} {other}"
            )


def _check_objectives(config: Config) -> None:
    """Refuse a cost as objective if all trials have the same network."""
    costs = config.optimize.objectives[1:]
    chain = chain_of(config)
    names = [parameter.name for parameter in sampled_parameters(with_conditions(config).parameters)]
    if costs and first_searched(names, chain) == len(chain) - 1:
        raise InputError(
            f"optimize.objectives has {costs[0]}; expected val_accuracy alone, because all trials share one "
            "architecture and so its costs: set [val_accuracy], or search a key of supernet or search"
        )


def _check_skipped_stages(config: Config) -> None:
    """Refuse settings that contradict each other once a stage is skipped."""
    nas, pruner = config.nas, config.optimize.pruner
    if nas.skip_retrain and nas.architecture is not None:
        raise InputError(
            "nas.skip_retrain is true; expected false with nas.architecture, because an imported network has no "
            "inherited weights to evaluate"
        )
    if nas.skip_retrain and pruner != "none":
        raise InputError(
            f"optimize.pruner is {pruner}; expected none with nas.skip_retrain, because a pruner stops retraining only"
        )
    if nas.supernet is not None and nas.architecture is None and nas.type == "simultaneous":
        raise InputError(
            f"nas.supernet is {nas.supernet}; expected null with nas.type simultaneous, which trains and searches in "
            "one stage; or set nas.type: separate"
        )


def _check_batch_sizes(config: Config) -> None:
    """Refuse batches with fewer than the two images that BatchNorm needs, in all or in one process."""
    processes = max(1, config.environment.gpus)
    for key in ("supernet.batch_size", "search.batch_size", "retrain.hyperparameters.batch_size"):
        smallest = min(possible_values(config, key))
        if smallest < 2:
            raise InputError(f"{key} is {smallest}; expected 2 or more, because BatchNorm needs 2 images")
        if smallest < 2 * processes and key != "search.batch_size":  # a process of a search takes whole batches
            raise InputError(
                f"{key} is {smallest}; expected {2 * processes} or more, because {processes} processes "
                "(environment.gpus) share a batch and each one needs 2 images"
            )


def _check_space(config: Config, search_space: Mapping[str, Any]) -> None:
    """Refuse a space that does not fit the data or the strategy, and limits that none of its networks keeps."""
    name = search_space["name"]
    space = SearchSpace.from_settings(search_space, f"config_{name}.yaml")
    facts = dataset_facts(config)
    if space.num_classes != facts.num_classes:
        raise InputError(
            f"config_{name}.yaml: settings.class_num is {space.num_classes}; expected {facts.num_classes}, the number "
            f"of classes of {config.dataset.name}"
        )
    subset = config.dataset.num_search_classes
    if subset is not None and not 2 <= subset <= space.num_classes:
        raise InputError(
            f"dataset.num_search_classes is {subset}; expected null or 2 to {space.num_classes}, the number of "
            f"classes of {config.dataset.name}"
        )
    for algorithm in possible_values(config, "search.algorithm"):
        check_algorithm(algorithm, space)
    _check_type(config)
    _check_reward(config)
    _check_expected_cost(config)
    table = needs_latency(config) and config.latency.table
    latency = read_latency(Path(table), space, facts.channels, facts.size) if table and facts.channels else None
    if space.own_operations:  # their costs are known only once their code runs; the search checks the limits
        return
    _check_limits(config, CostTable(space, facts.channels or 1, facts.size, latency))  # 1 channel has the lowest costs


def _check_type(config: Config) -> None:
    """Refuse a path sampler or a strategy that does not go with nas.type."""
    simultaneous = config.nas.type == "simultaneous"
    if not simultaneous and "asng" in possible_values(config, "supernet.sampler"):
        raise InputError(
            "supernet.sampler is asng; expected uniform, fair or sandwich, or nas.type: simultaneous, because asng "
            "samples from a distribution that only this type updates during supernet training"
        )
    for algorithm in possible_values(config, "search.algorithm"):
        if simultaneous and algorithm not in WITH_DISTRIBUTION:
            raise InputError(
                f"search.algorithm is {algorithm}; expected {', '.join(WITH_DISTRIBUTION)}, or nas.type: separate, "
                f"because {algorithm} has no distribution to update during supernet training"
            )


def _check_reward(config: Config) -> None:
    """Refuse a reward that has no target in some trial."""
    targets = possible_values(config, "search.reward.target")
    if "mnasnet_reward" not in possible_values(config, "search.objective") or None not in targets:
        return
    for metric in possible_values(config, "search.reward.metric"):
        for limit in possible_values(config, f"search.constraint.{metric}"):
            target_of(Reward(metric=metric), Constraint.model_validate({metric: limit}))


def _check_expected_cost(config: Config) -> None:
    """Refuse a loss of the expected cost that has no target in some trial."""
    if "proxyless" not in possible_values(config, "search.algorithm"):
        return
    names = ("loss", "metric", "target")
    for loss, metric, target in product(*(possible_values(config, f"search.expected_cost.{name}") for name in names)):
        if loss == "none":
            continue
        for limit in possible_values(config, f"search.constraint.{metric}"):
            expected_cost = ExpectedCost(loss=loss, metric=metric, target=target)
            target_of_expected_cost(Search(expected_cost=expected_cost, constraint=Constraint(**{metric: limit})))


def _check_limits(config: Config, costs: CostTable) -> None:
    """Refuse limits that no architecture keeps. A latency that is still to be measured is not checked."""
    for metric in costs.metrics:
        values = [getattr(config.search.constraint, metric), *possible_values(config, f"search.constraint.{metric}")]
        limits = [value for value in values if value is not None]
        if limits:
            tightest = Constraint.model_validate({metric: min(limits)})
            check_feasible(costs, config.search.model_copy(update={"constraint": tightest}))
