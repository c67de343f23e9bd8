"""Conditions under which a hyperparameter is read, and with them sampled.

They follow from what search strategies, path samplers, optimizers and learning rate schedules declare to read. This
module lies above these rooms; the points of a study are in `nasmake.study.parameter_space`. No torch or optuna here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from nasmake.config import Config, keys, load
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.config.study import Optimize, Parameter
from nasmake.config.supernet import OPTIMIZER_READS, SCHEDULER_READS
from nasmake.core.errors import InputError, nearest
from nasmake.core.nested import assign, value_at
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.strategies import STRATEGIES
from nasmake.study.parameter_space import count

Reads = Mapping[str, tuple[str, ...]]  # keys of a section, by the name of what reads them

# A key that decides who reads the section, the section, and what each one reads in it.
DECLARATIONS: tuple[tuple[str, str, Reads], ...] = (
    ("supernet.optimizer", "supernet", OPTIMIZER_READS),
    ("supernet.scheduler", "supernet", SCHEDULER_READS),
    ("supernet.sampler", "supernet", {name: entry.reads for name, entry in PATH_SAMPLERS.items()}),
    ("search.algorithm", "search", {name: entry.reads for name, entry in STRATEGIES.items()}),
    ("search.expected_cost.loss", "search.expected_cost", dict.fromkeys(("linear", "power"), ("target", "weight"))),
    ("search.objective", "search.reward", {"mnasnet_reward": ("target", "w_below", "w_above")}),
    ("nas.type", "search", {"simultaneous": ("warmup_ratio", "update_interval")}),
)
ALWAYS_READ = ("search.expected_cost.metric",)  # history and latency tables use it whatever the strategy


def _readers() -> Iterator[tuple[str, tuple[str, list[str]]]]:
    for decider, section, reads in DECLARATIONS:
        for key in dict.fromkeys(key for names in reads.values() for key in names):
            if f"{section}.{key}" not in ALWAYS_READ:
                yield f"{section}.{key}", (decider, [name for name, names in reads.items() if key in names])


# By key: the key that decides whether it is read, and the values of that key with which it is.
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
            f"config: optimize.trial_number: {trials} is above the {points:g} points of the grid; "
            f"allowed: 1 .. {points:g}"
        )


def repeated_trials(config: Config) -> int:
    """Return the number of trials that must repeat an earlier one, because there are fewer points than trials."""
    trials = config.optimize.trial_number
    return trials - int(min(trials, count(with_conditions(config).parameters)))


def _check_condition(config: Config, parameter: Parameter, name: str, values: list[Any]) -> None:
    location, path = f"config: optimize.parameters: {parameter.name}: when", path_of(name)
    if path not in (known := set(keys())):
        raise InputError(f"{location}: {name!r} is no key; {nearest(name, [*ALIASES, *known])}")
    other = next((p for p in config.optimize.parameters if path_of(p.name) == path), None)
    if other is not None and other.type == "uniform_float" and other.step is None:
        raise InputError(f"{location}: {name}: a condition needs a parameter with single values; give {name} a step")
    for value in values:
        if other is not None and other.type == "categorical" and value not in (other.choices or []):
            raise InputError(f"{location}: {name}: {value!r} is not among its choices {other.choices}")
        trial = config.model_dump(mode="json")
        assign(trial, path, value)
        try:
            load(trial)
        except InputError as error:
            raise InputError(f"{location}: {error.problem}") from None
