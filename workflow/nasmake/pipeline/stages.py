"""Which keys belong to which stage: what a stage is told, what reruns it, and which stages trials can share.

Imported by the Snakefile: no torch, lightning or optuna here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any

from nasmake.config import Config
from nasmake.config.aiaccel import path_of
from nasmake.config.study import Parameter
from nasmake.core.errors import InputError
from nasmake.core.nested import assign, value_at

STAGES = ("train_supernet", "search_architecture", "retrain")  # the chain of one trial, in order
STAGES_SIMULTANEOUS = ("search_supernet", "retrain")  # with nas.type simultaneous
STAGES_WITHOUT_SEARCH = ("import_architecture", "retrain")  # with nas.architecture
INSTEAD = {"train_supernet": "import_supernet", "retrain": "evaluate_inherited"}  # with nas.supernet, nas.skip_retrain
# Raised when a stage's meaning changes, so that its old results are made again.
STAGE_VERSION = {
    "download_dataset": 1,
    "suggest": 2,
    "train_supernet": 3,
    "import_supernet": 1,
    "measure_latency": 1,
    "search_architecture": 3,
    "search_supernet": 2,
    "import_architecture": 1,
    "retrain": 1,
    "evaluate_inherited": 1,
    "retrain_final": 1,
}
# The artefacts of a stage, in the order they are written: where the last one is, the others are.
OUTPUTS = {
    "train_supernet": ("supernet.safetensors", "supernet.json"),
    "search_architecture": ("architecture.json",),
    "search_supernet": ("supernet.safetensors", "supernet.json", "architecture.json"),
    "retrain": ("model.safetensors", "result.json"),
    "retrain_final": ("final.safetensors", "final.json"),
}
SHARED_KEYS = (
    "dataset.name",
    "dataset.num_data_architecture_search",
    "dataset.image_size",
    "dataset.crop_padding",
    "dataset.flip",
    "nas.seed",
    "trainer.precision",
    "trainer.num_threads",
)
SEARCH_CLASSES = "dataset.num_search_classes"
STAGE_KEYS = {
    "train_supernet": ("supernet", "nas.num_epochs_supernet_train", SEARCH_CLASSES),
    "search_architecture": ("search", "nas.num_epochs_architecture_search", SEARCH_CLASSES),
    "search_supernet": ("supernet", "search", "nas.num_epochs_supernet_train", SEARCH_CLASSES),
    "retrain": ("retrain", "nas.num_epochs_retrain"),
    "retrain_final": ("retrain", "nas.num_epochs_retrain", "final"),
}
# A measurement is no stage of a trial: of the rest of the configuration nothing decides it.
MEASUREMENT = "measure_latency"
MEASUREMENT_KEYS = (
    *("latency.batch_size", "latency.runs", "latency.warmup"),
    *("nas.seed", "trainer.precision", "trainer.num_threads"),
)
# Who reads a metric that may be latency_ms: key and value, and the key of the metric.
LATENCY_METRICS = (
    ("search.objective", "mnasnet_reward", "search.reward.metric"),
    ("search.algorithm", "proxyless", "search.expected_cost.metric"),
)
# Which images are val, and whether their classes are those of a supernet.
SPLIT_KEYS = ("dataset.name", "dataset.num_data_architecture_search", SEARCH_CLASSES, "nas.seed")
SPACE_KEY = "nas.search_space"  # decides the content of a file, which these stages are told instead
# nas.num_epochs_retrain holds their number once a configuration is loaded.
RESOLVED_AWAY = {"retrain.num_epochs", "retrain.hyperparameters.num_epochs"}


def chain_of(config: Config) -> tuple[str, ...]:
    """The stages of one trial, in order."""
    given = {"train_supernet": config.nas.supernet is not None, "retrain": config.nas.skip_retrain}
    return tuple(INSTEAD[stage] if given.get(stage) else stage for stage in _whole_chain(config))


def _whole_chain(config: Config) -> tuple[str, ...]:
    if config.nas.architecture is not None:
        return STAGES_WITHOUT_SEARCH
    return STAGES_SIMULTANEOUS if config.nas.type == "simultaneous" else STAGES


def stage_of(name: str, chain: Sequence[str] = STAGES) -> str | None:
    """The first stage of the chain that a searched parameter touches; None if it touches none."""
    path = path_of(name)
    return next((stage for stage in chain if any(_covers(key, path) for key in _keys_of(stage))), None)


def first_searched(names: Iterable[str], chain: Sequence[str] = STAGES) -> int:
    """Index in the chain of the first stage that differs between trials; the last one always does."""
    touched = [chain.index(stage) for stage in (stage_of(name, chain) for name in names) if stage is not None]
    return min(touched, default=len(chain) - 1)


def settings_of(stage: str, config: Config) -> dict[str, Any]:
    """All of the configuration that decides what `stage` computes, and nothing else."""
    everything = config.model_dump(mode="json")
    chosen: dict[str, Any] = {}
    for path in RESOLVED_AWAY:
        assign(everything, path, None)
    for path in MEASUREMENT_KEYS if stage == MEASUREMENT else (*SHARED_KEYS, *STAGE_KEYS[stage]):
        assign(chosen, path, value_at(everything, path))
    return chosen


def settings_of_job(stage: str, config: Config, search_space: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the job of a stage is told: its settings, the stage's version, and the search space if it needs one.

    Also the number of processes that share its work, where it is more than one: that changes the bytes.
    """
    observed = settings_of(stage, config) | {"version": STAGE_VERSION[stage]}
    if search_space is not None:
        observed["search_space"] = search_space
    if stage in OUTPUTS and config.environment.gpus > 1:
        observed["processes"] = config.environment.gpus
    return observed


def possible_values(config: Config, path: str) -> list[Any]:
    """What a key may be in a trial: its value; where it is searched, its choices, or the bounds and more of a range."""
    for parameter in config.optimize.parameters:
        if path_of(parameter.name) == path:
            return parameter.choices or _samples(parameter)
    return [attrgetter(path)(config)]


def needs_latency(config: Config) -> bool:
    """Whether latency is limit, reward, front, expected cost or objective of the study: then it needs a table."""
    is_limited = possible_values(config, "search.constraint.latency_ms") != [None]
    is_on_front = any("latency_ms" in front for front in possible_values(config, "search.front"))
    is_objective = "latency_ms" in config.optimize.objectives
    return is_limited or is_on_front or is_objective or any(_uses_latency(config, *own) for own in LATENCY_METRICS)


def _uses_latency(config: Config, reader: str, value: str, metric: str) -> bool:
    return value in possible_values(config, reader) and "latency_ms" in possible_values(config, metric)


def search_spaces_of(config: Config) -> list[str]:
    """The search spaces of the trials: nas.search_space, or its choices where it is searched.

    Raises:
        InputError: it is searched, but not by choices.
    """
    searched = [parameter for parameter in config.optimize.parameters if path_of(parameter.name) == SPACE_KEY]
    if not searched:
        return [config.nas.search_space]
    if not searched[0].choices:
        raise InputError(
            f"config: optimize.parameters: {SPACE_KEY}: a name has no range; type: categorical, choices: [..]"
        )
    return searched[0].choices


def source_settings(config: Config, path: str | None = None) -> dict[str, Any]:
    """What decides the bytes of the data set prepared in `path`; from which mirror they come does not."""
    settings = config.dataset.model_dump(mode="json", include={"name", "path", "sha256", "image_size"})
    return settings | ({"path": path} if path else {})


def with_parameters(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `settings` with a trial's parameters written in; those of other stages are left out."""
    changed = deepcopy(dict(settings))
    for name, value in parameters.items():
        path = path_of(name)
        if value_at(settings, path, missing := object()) is not missing:
            assign(changed, path, value)
    return changed


def _samples(parameter: Parameter) -> list[float]:
    """Both bounds, and for a float a value between them that is not whole: the key may take whole numbers only."""
    bounds = [parameter.lower or 0.0, parameter.upper or 0.0]
    if parameter.type == "uniform_int":
        return [int(bound) for bound in bounds]
    return [*bounds, bounds[0] + (bounds[1] - bounds[0]) / math.pi]


def _keys_of(stage: str) -> tuple[str, ...]:
    """All keys that a stage reads; what is taken is not made by any."""
    if stage not in STAGE_KEYS:
        return ()
    return (*SHARED_KEYS, *STAGE_KEYS[stage], *[SPACE_KEY] * ("supernet" in STAGE_KEYS[stage]))


def _covers(key: str, path: str) -> bool:
    return path == key or path.startswith(f"{key}.")
