"""Conditions under which a hyperparameter is read, and with them sampled.

The conditions follow from the keys that search strategies, path samplers, optimizers and learning rate schedules
declare to read. The points of a study are in `nasmake.study.parameter_space`. The Snakefile imports this module, so it
loads neither torch nor optuna. It imports core, config, strategies, path_samplers and study.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from nasmake.config import Config, keys, load
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.config.study import Optimize, Parameter
from nasmake.config.supernet import OPTIMIZER_READS, SCHEDULER_READS
from nasmake.core.errors import InputError, nearest, shown
from nasmake.core.nested import assign, value_at
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.strategies import STRATEGIES
from nasmake.study.parameter_space import count

Reads = Mapping[str, tuple[str, ...]]  # keys of a section, by the name of the strategy, sampler, ... that reads them

# The deciding key, the section, and the keys of the section that are read under each value of the deciding key.
DECLARATIONS: tuple[tuple[str, str, Reads], ...] = (
    ("supernet.optimizer", "supernet", OPTIMIZER_READS),
    ("supernet.scheduler", "supernet", SCHEDULER_READS),
    ("supernet.sampler", "supernet", {name: entry.reads for name, entry in PATH_SAMPLERS.items()}),
    ("search.algorithm", "search", {name: entry.reads for name, entry in STRATEGIES.items()}),
    ("search.expected_cost.loss", "search.expected_cost", dict.fromkeys(("linear", "power"), ("target", "weight"))),
    ("search.objective", "search.reward", {"mnasnet_reward": ("target", "w_below", "w_above")}),
    ("nas.type", "search", {"simultaneous": ("warmup_ratio", "update_interval")}),
)
MOST = 10_000  # values of a hyperparameter that a condition names
ALWAYS_READ = ("search.expected_cost.metric",)  # also read if the loss is none: for the history and the latency table


def _readers() -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Yield each key of DECLARATIONS with its entry in READERS."""
    for decider, section, reads in DECLARATIONS:
        for key in dict.fromkeys(key for names in reads.values() for key in names):
            if f"{section}.{key}" not in ALWAYS_READ:
                yield f"{section}.{key}", (decider, [name for name, names in reads.items() if key in names])


# By key: the key that decides whether the first one is read, and the values of the deciding key under which it is.
READERS: Mapping[str, tuple[str, list[str]]] = dict(_readers())


def with_conditions(config: Config) -> Optimize:
    """Return the study with the conditions of READERS beside those of its parameters, by searched names.

    A condition on a key that is not searched is the same in all trials. If it holds, it is left out. If it does not
    hold, it stays, and the parameter is never sampled.
    """
    searched = {path_of(parameter.name): parameter.name for parameter in config.optimize.parameters}
    values = config.model_dump(mode="json")

    def conditions(parameter: Parameter) -> dict[str, list[Any]]:
        allowed = {path_of(name): values for name, values in parameter.when.items()}
        if path_of(parameter.name) in READERS:
            path, readers = READERS[path_of(parameter.name)]
            allowed[path] = [value for value in readers if value in allowed.get(path, readers)]
        return {
            searched.get(path, path): choices
            for path, choices in allowed.items()
            if path in searched or value_at(values, path) not in choices
        }

    parameters = [p.model_copy(update={"when": conditions(p)}) for p in config.optimize.parameters]
    return config.optimize.model_copy(update={"parameters": parameters})


def check_conditions(config: Config) -> None:
    """Refuse conditions with an unknown key or an impossible value, and a grid with fewer points than trials.

    Raises:
        InputError: one line with the parameter's name.
    """
    for parameter in config.optimize.parameters:
        for name, values in parameter.when.items():
            _check_condition(config, parameter, name, values)
    try:
        points = count(with_conditions(config).parameters)
    except ValueError as error:
        raise InputError(f"config: optimize.parameters: {error}") from None
    trials = config.optimize.trial_number
    if points < trials and config.optimize.sampler == "GridOptimizer":
        raise InputError(
            f"config: optimize.trial_number is {trials}; expected {points:g} or less, the number of points of the grid"
        )


def repeated_trials(config: Config) -> int:
    """Return the number of trials that must repeat an earlier one, because there are fewer points than trials."""
    trials = config.optimize.trial_number
    return trials - int(min(trials, count(with_conditions(config).parameters)))


def _check_condition(config: Config, parameter: Parameter, name: str, values: list[Any]) -> None:
    """Refuse a condition on the key `name` if the key is unknown, or cannot have one of the values."""
    location, path = f"config: optimize.parameters: {parameter.name}: when", path_of(name)
    if path not in (known := set(keys())):
        raise InputError(f"{location}: {name} is no key; {nearest(name, [*ALIASES, *known])}")
    condition = next((p for p in config.optimize.parameters if path_of(p.name) == path), None)  # None: not searched
    if condition is not None and condition.type == "uniform_float" and condition.step is None:
        raise InputError(f"{location}: {name} has a range without steps; expected single values: give {name} a step")
    if condition is not None and condition.size > MOST:  # the values are counted one by one
        raise InputError(f"{location}: {name} has {condition.size} values; expected at most {MOST}: give {name} a step")
    for value in values:
        if condition is not None and condition.type == "categorical" and value not in (condition.choices or []):
            choices = ", ".join(map(shown, condition.choices or []))
            raise InputError(f"{location}: {name} is {shown(value)}; expected one of its choices {choices}")
        check_value(config, path, value, location)


def check_value(config: Config, path: str, value: Any, location: str) -> None:
    """Refuse a value that the key at `path` cannot have in a trial.

    Raises:
        InputError: one line that begins with `location`.
    """
    trial = config.model_dump(mode="json")
    assign(trial, path, value)
    try:
        load(trial)
    except InputError as error:
        raise InputError(f"{location}: {error.problem}") from None
