"""Which keys belong to which stage: what a stage is told, what reruns it, and which stages trials can share.

Imported by the Snakefile: no torch, lightning or optuna here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any

from nasmake.artifacts import InputError
from nasmake.config import Config, keys, load
from nasmake.messages import nearest
from nasmake.optimize import Parameter

STAGES = ("train_supernet", "search_architecture", "retrain")  # the chain of one trial, in order
STAGES_WITHOUT_SEARCH = ("take_architecture", "retrain")  # with nas.architecture

# Raised when a stage's meaning changes, so that its old results are made again.
STAGE_VERSION = {
    "download_dataset": 1,
    "suggest": 1,
    "train_supernet": 2,
    "measure_latency": 1,
    "search_architecture": 3,
    "take_architecture": 1,
    "retrain": 1,
    "retrain_final": 1,
}

# The artefacts of a stage, in the order they are written: where the last one is, the others are.
OUTPUTS = {
    "train_supernet": ("supernet.safetensors", "supernet.json"),
    "search_architecture": ("architecture.json",),
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
STAGE_KEYS = {
    "train_supernet": ("supernet", "nas.num_epochs_supernet_train"),
    "search_architecture": ("search", "nas.num_epochs_architecture_search"),
    "retrain": ("retrain", "nas.num_epochs_retrain"),
    "retrain_final": ("retrain", "nas.num_epochs_retrain", "final"),
}
# A measurement is no stage of a trial: of the rest of the configuration nothing decides it.
MEASUREMENT = "measure_latency"
MEASUREMENT_KEYS = (
    *("latency.batch_size", "latency.runs", "latency.warmup"),
    *("nas.seed", "trainer.precision", "trainer.num_threads"),
)

# The predecessor's hyperparameters, which it kept without sections.
ALIASES = {
    "batch_size_supernet_train": "supernet.batch_size",
    "batch_size_architecture_search": "search.batch_size",
    "initial_lr": "supernet.lr",
    "lam": "supernet.paths_per_step",
    "alpha": "search.alpha",
    "epsilon": "search.epsilon",
} | {
    name: f"supernet.{name}"
    for name in (
        *("optimizer", "weight_decay", "momentum", "dampening", "smoothing", "beta1", "beta2", "eps", "momentum_decay"),
        *("scheduler", "warmup_epochs", "milestone_start", "milestone_step", "gamma"),
        *("start_factor", "end_factor", "total_epochs"),
    )
}

# nas.num_epochs_retrain holds their number once a configuration is loaded.
RESOLVED_AWAY = {"retrain.num_epochs", "retrain.hyperparameters.num_epochs"}


def path_of(name: str) -> str:
    """The dotted path that a searched parameter's name stands for."""
    return ALIASES.get(name, name)


def chain_of(config: Config) -> tuple[str, ...]:
    """The stages of one trial, in order."""
    return STAGES if config.nas.architecture is None else STAGES_WITHOUT_SEARCH


def stage_of(name: str, chain: Sequence[str] = STAGES) -> str | None:
    """The first stage of the chain that a searched parameter touches; None if it touches none."""
    path = path_of(name)
    return next((stage for stage in chain if any(_covers(key, path) for key in _keys_of(stage))), None)


def first_searched(names: Iterable[str], chain: Sequence[str] = STAGES) -> int:
    """Index in the chain of the first stage that differs between trials; retraining, the last one, always does."""
    touched = [chain.index(stage) for stage in (stage_of(name, chain) for name in names) if stage is not None]
    return min(touched, default=len(chain) - 1)


def settings_of(stage: str, config: Config) -> dict[str, Any]:
    """All of the configuration that decides what `stage` computes, and nothing else."""
    everything = config.model_dump(mode="json")
    chosen: dict[str, Any] = {}
    for path in RESOLVED_AWAY:
        assign(everything, path, None)
    for path in MEASUREMENT_KEYS if stage == MEASUREMENT else (*SHARED_KEYS, *STAGE_KEYS[stage]):
        assign(chosen, path, _value(everything, path))
    return chosen


def possible_values(config: Config, path: str) -> list[Any]:
    """What a key may be in a trial: its value; where it is searched, its choices, or the bounds and more of a range."""
    for parameter in config.optimize.parameters:
        if path_of(parameter.name) == path:
            return parameter.choices or _samples(parameter)
    return [attrgetter(path)(config)]


def limits_latency(config: Config) -> bool:
    """Whether the search uses latency, as a limit or as expected cost, so that it needs a latency table."""
    is_limited = possible_values(config, "search.constraint.latency_ms") != [None]
    has_gates = "proxyless" in possible_values(config, "search.algorithm")
    is_expected = "latency_ms" in possible_values(config, "search.expected_cost.metric")
    return is_limited or (has_gates and is_expected)


def source_settings(config: Config) -> dict[str, Any]:
    """What decides the bytes of a prepared data set; from which mirror they come does not."""
    return config.dataset.model_dump(mode="json", include={"name", "path", "sha256", "image_size"})


def with_parameters(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `settings` with a trial's parameters written in; those of other stages are left out."""
    changed = deepcopy(dict(settings))
    for name, value in parameters.items():
        path = path_of(name)
        if _value(settings, path, missing := object()) is not missing:
            assign(changed, path, value)
    return changed


def assign(mapping: dict[str, Any], path: str, value: Any) -> None:
    """Write `value` at a dotted path, making the mappings on the way."""
    *parents, last = path.split(".")
    for name in parents:
        mapping = mapping.setdefault(name, {})
    mapping[last] = value


def check_parameters(config: Config) -> None:
    """Refuse searched parameters that name no key, name one twice, or may take a value that the key refuses.

    Raises:
        InputError: one line with the parameter's name.
    """
    searchable = {path for path in keys() if stage_of(path) and not path.startswith("dataset.")} - RESOLVED_AWAY
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
            raise InputError(
                f"config: optimize.parameters: {parameter.name!r} belongs to {stage_of(path)}, which nas.architecture "
                "leaves out; remove it (without parameters set optimize.trial_number: 1), or set nas.architecture: null"
            )
        _check_values(config, parameter)


def _check_values(config: Config, parameter: Parameter) -> None:
    for value in parameter.choices or _samples(parameter):
        trial = config.model_dump(mode="json")
        assign(trial, path_of(parameter.name), value)
        try:
            load(trial)
        except InputError as error:
            reason = str(error).removeprefix("config: ")
            raise InputError(f"config: optimize.parameters: {parameter.name}: its value {reason}") from None


def _samples(parameter: Parameter) -> list[float]:
    """Both bounds, and for a float a value between them that is not whole: the key may take whole numbers only."""
    bounds = [parameter.lower or 0.0, parameter.upper or 0.0]
    if parameter.type == "uniform_int":
        return [int(bound) for bound in bounds]
    return [*bounds, bounds[0] + (bounds[1] - bounds[0]) / math.pi]


def _keys_of(stage: str) -> tuple[str, ...]:
    """All keys that a stage reads; what is taken is not made by any."""
    return (*SHARED_KEYS, *STAGE_KEYS[stage]) if stage in STAGE_KEYS else ()


def _covers(key: str, path: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def _value(mapping: Any, path: str, *default: Any) -> Any:
    for name in path.split("."):
        if name not in mapping:
            return default[0]
        mapping = mapping[name]
    return mapping
