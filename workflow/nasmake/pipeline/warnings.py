"""Warnings at the start of a run: keys without effect, keys that another key overrules, and a missing group.

The Snakefile imports this module, so it loads no torch. It imports core, config, study and other modules of this room.
"""

import os
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nasmake.config import Config
from nasmake.config.aiaccel import path_of, without_effect
from nasmake.config.environment import NO_GROUP, Resource
from nasmake.core.errors import shown
from nasmake.core.nested import value_at
from nasmake.core.process import PAYS
from nasmake.data.shares import leave_one
from nasmake.pipeline.conditions import repeated_trials, with_conditions
from nasmake.pipeline.inputs import DatasetFacts, dataset_facts, read_search_space
from nasmake.pipeline.searched import needs_latency, possible_values
from nasmake.pipeline.stages import RESOLVED_KEYS
from nasmake.search_spaces import SearchSpace
from nasmake.study.parameter_space import never_sampled

FEW, SHOWN = 5, 5  # images of a class that a warning asks for; classes that it names
# Steps for each option below which a supernet is hardly better than guessing. On the digits, a supernet with 3 steps
# had the loss of guessing, and one with 17 steps told networks apart.
FEWEST_STEPS = 10
NOTHING: Mapping[str, Any] = MappingProxyType({})


def collect_warnings(
    config: Config,
    raw: Mapping[str, Any] = NOTHING,
    set_resources: Mapping[str, Mapping[str, Any]] = NOTHING,
    is_paid: bool = False,
) -> list[str]:
    """Return the warnings about a study, one line each.

    Args:
        config: the configuration of the study.
        raw: the configuration as the user gave it.
        set_resources: resources that the profile sets, by rule.
        is_paid: True if the command line names a project that pays for PBS jobs.
    """
    facts = dataset_facts(config)  # lists all images of an image folder
    return [
        *without_effect(raw),
        *_unused_keys(config),
        *_small_classes(config, facts),
        *_preamble(config.ABCI.job_script_preamble),
        *_skipped_stages(config),
        *_hyperparameters(config),
        *_fixed_values(config),
        *_paths_per_step(config),
        *_short_training(config, facts),
        *_more_than_there_is(config, facts),
        *([] if is_paid else _group(config, set_resources)),
    ]


def _unused_keys(config: Config) -> list[str]:
    """Warn of keys of aiaccel without effect, an unused latency table and numbers of epochs that are overruled."""
    advice = {
        "resource.type": config.resource.type != Resource().type and "choose a profile",
        "ABCI.job_execution_options": config.ABCI.job_execution_options and "edit profiles/abci",
        "generic": config.generic and "choose a profile",
    }
    lines = [f"{key}: without effect in this version; {instead}" for key, instead in advice.items() if instead]
    if config.latency.table and not needs_latency(config):
        lines.append("latency.table: without effect, because no limit, reward or front of the search uses latency_ms")
    epochs = config.nas.num_epochs_retrain
    for key in sorted(RESOLVED_KEYS):
        if (given := attrgetter(key)(config)) not in (None, epochs):
            lines.append(f"{key} is {given}: without effect, because nas.num_epochs_retrain is {epochs}")
    return lines


def _small_classes(config: Config, facts: DatasetFacts) -> list[str]:
    """Warn of classes with few images in train or val."""
    dataset, per_class = config.dataset, facts.per_class
    if per_class is None:
        return []
    names = [name for name, size in per_class.items() if size]
    sizes = [per_class[name] for name in names]
    unused = leave_one(sizes, sum(sizes) - (dataset.num_train or sum(sizes)))
    used = [size - left_out for size, left_out in zip(sizes, unused, strict=True)]
    val = leave_one(used, dataset.num_data_architecture_search)
    small = [
        f"{name} ({size - held_out} in train, {held_out} in val)"
        for name, size, held_out in zip(names, used, val, strict=True)
        if min(size - held_out, held_out) < FEW
    ]
    more = f" and {len(small) - SHOWN} more" if len(small) > SHOWN else ""
    text = f"dataset: classes with fewer than {FEW} images in train or val: {', '.join(small[:SHOWN])}{more}"
    return [text] if small else []


def _preamble(preamble: str | None) -> list[str]:
    """Warn of a missing preamble, or of directives of Grid Engine: ABCI has left it, and bash reads comments."""
    if preamble is None:
        return []
    key, path = "ABCI.job_script_preamble", Path(preamble)
    if not path.is_file():
        return [f"{key}: {preamble}: no such file; jobs on a cluster begin without it"]
    directives = sum(line.startswith("#$") for line in path.read_text().splitlines())
    return [f"{key}: {preamble}: {directives} directives of Grid Engine are dropped"] if directives else []


def _skipped_stages(config: Config) -> list[str]:
    """Warn of a stage that runs although it should be skipped, and of a supernet that nothing uses."""
    nas, lines = config.nas, []
    if nas.skip_architecture_search and nas.architecture is None:
        lines.append("nas.skip_architecture_search: nas.architecture names no network to import, so the search runs")
    if nas.skip_train and nas.supernet is None and nas.architecture is None:
        lines.append("nas.skip_train: nas.supernet names no supernet to import, so supernet training runs")
    if nas.supernet is not None and nas.architecture is not None:
        lines.append("nas.supernet: without effect, because nas.architecture skips the search")
    return lines


def _hyperparameters(config: Config) -> list[str]:
    """Warn of hyperparameters that no trial samples, and of trials that must repeat others."""
    never, values = never_sampled(with_conditions(config).parameters), config.model_dump(mode="json")
    names_by_key: dict[str, list[str]] = {}
    for name, key in never.items():
        names_by_key.setdefault(key, []).append(name)
    lines = []
    for key, names in names_by_key.items():
        value = "never sampled" if key in never else value_at(values, path_of(key))
        lines.append(f"optimize.parameters: {', '.join(names)}: never sampled, because {key} is {value}")
    if repeated := repeated_trials(config):
        lines.append(f"optimize.trial_number: {repeated} trials repeat others, because there are no more points")
    return lines


def _fixed_values(config: Config) -> list[str]:
    """Warn of the value of a key that every trial searches. A change of this value reruns jobs and changes nothing."""
    given, defaults = config.model_dump(exclude_unset=True), Config.model_construct().model_dump()
    lines = []
    for parameter in with_conditions(config).parameters:
        path, first = path_of(parameter.name), (parameter.first_values or [None])[0]
        default = value_at(defaults, path, None)
        if not parameter.when and (value := value_at(given, path, default)) not in (default, first):
            lines.append(f"{path} is {shown(value)}: without effect, since every trial searches it; remove this value")
    return lines


def _paths_per_step(config: Config) -> list[str]:
    """Warn of a number of paths that the path sampler does not use."""
    key, sampler, paths = "supernet.paths_per_step", config.supernet.sampler, config.supernet.paths_per_step
    searched = {path_of(parameter.name) for parameter in config.optimize.parameters}
    if sampler == "fair" and paths != 1 and not searched & {key, "supernet.sampler"}:
        return [
            f"{key} is {paths}: without effect; sampler fair uses as many paths as the largest decision has options"
        ]
    if sampler == "sandwich" and paths == 2 and key not in searched:
        return [f"{key} is {paths}: leaves no path between largest and smallest; sampler sandwich uses 4"]
    return []


def _short_training(config: Config, facts: DatasetFacts) -> list[str]:
    """Warn of supernets that train each option of the largest decision in a few steps only, in every trial."""
    line, steps = supernet_training(config, facts) or ("", FEWEST_STEPS)
    return [line] if steps < FEWEST_STEPS else []


def supernet_training(config: Config, facts: DatasetFacts) -> tuple[str, float] | None:
    """Return in how many steps a supernet trains each option of the largest decision, as a sentence and a number.

    None is returned if no supernet is trained, if the number of images or the space is not known yet, and for samplers
    that train more paths in a step than supernet.paths_per_step says: fair and sandwich.
    """
    if config.nas.architecture is not None or config.nas.supernet is not None:
        return None
    space, images = read_search_space(config), facts.images
    samplers = possible_values(config, "supernet.sampler")
    if images is None or "choices" in space or "fair" in samplers or "sandwich" in samplers:
        return None
    decisions = SearchSpace.from_settings(space).decisions
    options = max(len(decision.choices) for decision in decisions)
    batches = _train_images(config, images) // min(possible_values(config, "supernet.batch_size"))
    key = "nas.num_epochs_supernet_train"
    epochs, paths = (max(possible_values(config, path)) for path in (key, "supernet.paths_per_step"))
    steps = epochs * batches * paths / options
    line = (
        f"{key} is {epochs}: trains each of {options} options in about {int(steps)} steps; a supernet needs some "
        f"{FEWEST_STEPS} at the very least, better 100; see config/README.md"
    )
    return line, steps


def _train_images(config: Config, images: int) -> int:
    """Return the size of the split train of a data set with so many training images."""
    return (config.dataset.num_train or images) - config.dataset.num_data_architecture_search


def _more_than_there_is(config: Config, facts: DatasetFacts) -> list[str]:
    """Warn of numbers, given by the user, that are cut to what the study has of trials, images and epochs."""
    available = {
        "promote.top": (config.optimize.trial_number, "the number of trials"),
        "retrain.warmup_epochs": ((config.nas.num_epochs_retrain or 1) / 2, "half of the epochs of retraining"),
    }
    if facts.images is not None:
        train = _train_images(config, facts.images)
        keys = ("supernet.batch_size", "retrain.hyperparameters.batch_size", "search.recalibration_images")
        available |= dict.fromkeys(keys, (train, "the number of training images"))
    given = config.model_dump(exclude_unset=True)
    values = {key: value_at(given, key, 0) for key in available}
    return [
        f"{key} is {values[key]:.15g}: cut to {most:.15g}, {what}"
        for key, (most, what) in available.items()
        if values[key] > most
    ]


def _group(config: Config, set_resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Warn if the profile is for PBS and no group pays. A dry run is possible all the same."""
    is_for_pbs = any("pbs_queue" in resources for resources in set_resources.values())
    if not is_for_pbs or PAYS in os.environ or config.ABCI.group != NO_GROUP:
        return []
    return [f"ABCI.group: no group pays for PBS jobs, unless pbs-project names one; type: export {PAYS}=your-group"]
