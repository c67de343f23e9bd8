"""Which values a key can have in the trials of a study: whether latency matters, and which spaces are searched.

The Snakefile imports this module, so it loads no torch. It imports core, config and the table of stages.
"""

import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from nasmake.config import Config
from nasmake.config.aiaccel import path_of
from nasmake.config.study import Parameter
from nasmake.core.errors import InputError, nearest, shown
from nasmake.pipeline.stages import SPACE_KEY

# A deciding key, its value under which a metric is read, and the key of this metric, which may be latency_ms.
LATENCY_METRICS = (
    ("search.objective", "mnasnet_reward", "search.reward.metric"),
    ("search.algorithm", "proxyless", "search.expected_cost.metric"),
)


def possible_values(config: Config, path: str) -> list[Any]:
    """Return the values of a key to check.

    Args:
        config: the configuration.
        path: dotted path of the key.

    Returns:
        `values_of` the hyperparameter that searches the key; if none does, the value of the key alone.
    """
    for parameter in config.optimize.parameters:
        if path_of(parameter.name) == path:
            return values_of(parameter)
    return [attrgetter(path)(config)]


def values_of(parameter: Parameter) -> list[Any]:
    """Return every choice of a categorical hyperparameter, or the bounds and one interior point of a range.

    The interior point of a float is not a whole number, since the key may accept whole numbers only.
    """
    if parameter.choices:
        return parameter.choices
    low, high = parameter.lower or 0.0, parameter.upper or 0.0
    if parameter.type == "uniform_int":
        return [int(low), int(high)]
    return [low, high, low + (high - low) / math.pi]


def needs_latency(config: Config) -> bool:
    """Return True if latency is a limit, reward, front, expected cost or objective in some trial."""
    return (
        possible_values(config, "search.constraint.latency_ms") != [None]
        or any("latency_ms" in front for front in possible_values(config, "search.front"))
        or "latency_ms" in config.optimize.objectives
        or any(
            value in possible_values(config, decider) and "latency_ms" in possible_values(config, metric)
            for decider, value, metric in LATENCY_METRICS
        )
    )


def search_spaces_of(config: Config) -> list[str]:
    """Return the names of the search spaces of the trials: nas.search_space, or its choices if it is searched.

    Raises:
        InputError: nas.search_space is searched, but is not categorical.
    """
    searched = [parameter for parameter in config.optimize.parameters if path_of(parameter.name) == SPACE_KEY]
    if not searched:
        return [config.nas.search_space]
    if not searched[0].choices:
        raise InputError(
            f"config: optimize.parameters: {SPACE_KEY}: type is {searched[0].type}; expected categorical with choices"
        )
    return searched[0].choices


def space_of_trial(search_space: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the space that a trial searches: the only one, or the one that its hyperparameters name."""
    choices: Mapping[str, Any] | None = search_space.get("choices")
    if choices is None:
        return search_space
    name = parameters.get(SPACE_KEY)
    if not isinstance(name, str) or name not in choices:
        raise InputError(f"{SPACE_KEY} is {shown(name)}; {nearest(shown(name), choices)}", "suggestion")
    chosen: Mapping[str, Any] = choices[name]
    return chosen
