"""What can be checked before any job starts, beyond the configuration itself: files, counts, limits. No torch here."""

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from nasmake.config import Config, keys, load
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.config.search import Constraint, ExpectedCost, Reward, Search
from nasmake.config.study import Parameter
from nasmake.core.errors import InputError, nearest
from nasmake.core.nested import assign
from nasmake.costs.latency_table import read_latency
from nasmake.costs.table import CostTable
from nasmake.pipeline.conditions import check_conditions, with_conditions
from nasmake.pipeline.inputs import dataset_facts
from nasmake.pipeline.searched import needs_latency, possible_values, values_of
from nasmake.pipeline.stages import RESOLVED_KEYS, chain_of, first_searched, stage_of
from nasmake.search_spaces import SearchSpace
from nasmake.strategies import STRATEGIES
from nasmake.strategies.constraints import check_algorithm, check_feasible, target_of, target_of_expected_cost
from nasmake.study.parameter_space import sampled_parameters

WITH_DISTRIBUTION = tuple(name for name, entry in STRATEGIES.items() if entry.has_distribution)


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
    images, _, _ = dataset_facts(config)
    held_out = config.dataset.num_data_architecture_search
    if images is not None and held_out >= images:
        raise InputError(
            f"dataset.num_data_architecture_search: {held_out} of {images} training images leave none to train on; "
            f"allowed: 1 .. {images - 1}"
        )
    _check_objectives(config)
    _check_skipped(config)
    _check_parts(config)
    if config.final.baseline and config.dataset.name == "imagenet":
        raise InputError("final.baseline: true: fits images that are held in memory, not those of imagenet; set false")
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


def _check_skipped(config: Config) -> None:
    """Refuse what cannot go together once a stage is left out."""
    if config.nas.skip_retrain and config.nas.architecture is not None:
        raise InputError(
            "nas.skip_retrain: true: a network that is taken has no inherited weights to score; set nas.skip_retrain: "
            "false, or nas.architecture: null"
        )
    if config.nas.skip_retrain and config.optimize.pruner != "none":
        raise InputError(
            f"optimize.pruner: {config.optimize.pruner}: stops retrainings, which nas.skip_retrain leaves out; set none"
        )
    if config.nas.supernet is None or config.nas.architecture is not None:
        return
    if config.nas.type == "simultaneous":
        raise InputError(
            "nas.supernet: with nas.type simultaneous, training and search are one stage; set nas.type: separate"
        )


def _check_parts(config: Config) -> None:
    """Refuse batches that leave a process fewer than the two images that BatchNorm needs."""
    least = 2 * config.environment.gpus
    for key in ("supernet.batch_size", "retrain.hyperparameters.batch_size"):
        smallest = min(possible_values(config, key))
        if config.environment.gpus > 1 and smallest < least:
            raise InputError(
                f"{key}: {smallest}: environment.gpus: {config.environment.gpus} processes share a batch, and each "
                f"needs 2 images; allowed: {least} or more"
            )


def _check_space(config: Config, search_space: Mapping[str, Any]) -> None:
    """Refuse a space that does not fit the data, and limits that none of its networks keeps."""
    name = search_space["name"]
    space = SearchSpace.from_mapping(search_space["content"], name, f"config_{name}.yaml")
    _, classes, shape = dataset_facts(config)
    if classes is not None and space.num_classes != classes:
        raise InputError(
            f"config_{name}.yaml: settings.class_num: {space.num_classes}; {config.dataset.name} has {classes} classes"
        )
    subset = config.dataset.num_search_classes
    if subset is not None and not 2 <= subset <= space.num_classes:
        raise InputError(
            f"dataset.num_search_classes: {subset}: allowed: null or 2 .. {space.num_classes}, the classes of "
            f"{config.dataset.name}"
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


def check_parameters(config: Config) -> None:
    """Refuse searched parameters that name no key, name one twice, or may take a value that the key refuses.

    Raises:
        InputError: one line with the parameter's name.
    """
    searchable = {path for path in keys() if stage_of(path) and not path.startswith("dataset.")} - RESOLVED_KEYS
    seen: set[str] = set()
    for parameter in config.optimize.parameters:
        path = path_of(parameter.name)
        if path not in searchable:
            hint = nearest(parameter.name, [*ALIASES, *searchable])
            raise InputError(
                f"config: optimize.parameters: {parameter.name!r} is not a key that can be searched; {hint}"
            )
        if path in seen:
            raise InputError(f"config: optimize.parameters: {parameter.name!r} is searched twice; remove one")
        seen.add(path)
        if stage_of(path, chain_of(config)) is None:
            key, off = _left_out_by(config, path)
            raise InputError(
                f"config: optimize.parameters: {parameter.name!r} belongs to {stage_of(path)}, which {key} leaves out; "
                f"remove it (without parameters set optimize.trial_number: 1), or set {key}: {off}"
            )
        _check_values(config, parameter)


def _left_out_by(config: Config, path: str) -> tuple[str, str]:
    """The key that leaves out the stage of a parameter, and its value that does not."""
    if stage_of(path) == "retrain":
        return "nas.skip_retrain", "false"
    return ("nas.supernet" if config.nas.architecture is None else "nas.architecture"), "null"


def _check_values(config: Config, parameter: Parameter) -> None:
    for value in values_of(parameter):
        trial = config.model_dump(mode="json")
        assign(trial, path_of(parameter.name), value)
        try:
            load(trial)
        except InputError as error:
            reason = error.problem
            raise InputError(f"config: optimize.parameters: {parameter.name}: its value {reason}") from None
