"""The space that a study samples: which hyperparameters a trial samples, under which conditions, and its points.

Imported by the Snakefile: no torch and no optuna here.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from nasmake.config import Config, keys, load
from nasmake.config.aiaccel import ALIASES, path_of
from nasmake.config.study import Optimize, Parameter
from nasmake.core.errors import InputError, nearest
from nasmake.core.nested import assign, value_at

Point = Mapping[str, Any]


def ordered(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters, each after those that its conditions name.

    Raises:
        ValueError: conditions go round in a circle.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    graph = {parameter.name: [name for name in parameter.when if name in by_name] for parameter in parameters}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise ValueError(f"`when` goes round in a circle: {' -> '.join(error.args[1])}") from None


def is_sampled(parameter: Parameter, point: Point) -> bool:
    """Whether the conditions of a parameter hold at a point; one on what is not sampled there does not."""
    return all(name in point and point[name] in values for name, values in parameter.when.items())


def never_sampled(parameters: Sequence[Parameter]) -> dict[str, str]:
    """Parameters with a condition on what no trial samples, and the name in it."""
    found: dict[str, str] = {}
    names = {parameter.name for parameter in parameters}
    for parameter in ordered(parameters):
        excluding = [name for name in parameter.when if name not in names or name in found]
        if excluding:
            found[parameter.name] = excluding[0]
    return found


def sampled_parameters(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters without those that no trial samples."""
    never = never_sampled(parameters)
    return [parameter for parameter in parameters if parameter.name not in never]


def reduced(parameters: Sequence[Parameter], values: Point) -> dict[str, Any]:
    """Of `values`, one for each parameter, those that a trial reads."""
    point: dict[str, Any] = {}
    for parameter in ordered(parameters):
        if is_sampled(parameter, point):
            point[parameter.name] = values[parameter.name]
    return point


def count(parameters: Sequence[Parameter]) -> float:
    """How many different points there are; infinite if a parameter without a step is sampled in one of them."""
    return _count(ordered(parameters), _conditions(parameters), {})


def point_at(parameters: Sequence[Parameter], index: int) -> dict[str, Any]:
    """The point of an index 0 .. count - 1: parameters in order, the values of the last ones change first."""
    left, conditions, point = ordered(parameters), _conditions(parameters), dict[str, Any]()
    while left:
        parameter, *left = left
        if not is_sampled(parameter, point):
            continue
        if parameter.name not in conditions:
            each = int(_count(left, conditions, point))
            point[parameter.name] = parameter.value(index // each)
            index %= each
            continue
        for value in map(parameter.value, range(int(parameter.size))):
            below = int(_count(left, conditions, point | {parameter.name: value}))
            if index < below:
                point[parameter.name] = value
                break
            index -= below
    return point


def _conditions(parameters: Sequence[Parameter]) -> set[str]:
    return {name for parameter in parameters for name in parameter.when}


def _count(left: Sequence[Parameter], conditions: set[str], point: Point) -> float:
    if not left:
        return 1
    parameter, *others = left
    if not is_sampled(parameter, point):
        return _count(others, conditions, point)
    if parameter.name not in conditions:
        return parameter.size * _count(others, conditions, point)
    values = map(parameter.value, range(int(parameter.size)))
    return sum(_count(others, conditions, {**point, parameter.name: value}) for value in values)


ADAPTIVE = ["Adam", "AMSGrad", "NAdam", "AdamW"]
READERS: Mapping[str, tuple[str, list[str]]] = {  # key: the key that decides, and its values for which it is read
    "supernet.momentum": ("supernet.optimizer", ["MomentumSGD", "NAG", "RMSprop"]),
    "supernet.dampening": ("supernet.optimizer", ["MomentumSGD"]),
    "supernet.smoothing": ("supernet.optimizer", ["RMSprop"]),
    "supernet.beta1": ("supernet.optimizer", ADAPTIVE),
    "supernet.beta2": ("supernet.optimizer", ADAPTIVE),
    "supernet.eps": ("supernet.optimizer", ["RMSprop", *ADAPTIVE]),
    "supernet.momentum_decay": ("supernet.optimizer", ["NAdam"]),
    "supernet.milestone_start": ("supernet.scheduler", ["MultiStep"]),
    "supernet.milestone_step": ("supernet.scheduler", ["MultiStep"]),
    "supernet.gamma": ("supernet.scheduler", ["MultiStep", "Exponential"]),
    "supernet.start_factor": ("supernet.scheduler", ["Linear"]),
    "supernet.end_factor": ("supernet.scheduler", ["Linear"]),
    "supernet.total_epochs": ("supernet.scheduler", ["Linear"]),
    "supernet.paths_per_step": ("supernet.sampler", ["uniform", "sandwich", "asng"]),
    "search.parent_ratio": ("search.algorithm", ["evolution"]),
    "search.max_age": ("search.algorithm", ["evolution"]),
    "search.crossover_ratio": ("search.algorithm", ["evolution"]),
    "search.mutation_prob": ("search.algorithm", ["evolution"]),
    "search.samples_per_update": ("search.algorithm", ["asng", "reinforce"]),
    "search.alpha": ("search.algorithm", ["asng"]),
    "search.epsilon": ("search.algorithm", ["asng"]),
    "search.delta0": ("search.algorithm", ["asng"]),
    "search.policy_lr": ("search.algorithm", ["reinforce"]),
    "search.gates": ("search.algorithm", ["proxyless"]),
    "search.architecture_lr": ("search.algorithm", ["proxyless"]),
    "search.expected_cost.loss": ("search.algorithm", ["proxyless"]),
    "search.expected_cost.target": ("search.expected_cost.loss", ["linear", "power"]),
    "search.expected_cost.weight": ("search.expected_cost.loss", ["linear", "power"]),
    "search.reward.target": ("search.objective", ["mnasnet_reward"]),
    "search.reward.w_below": ("search.objective", ["mnasnet_reward"]),
    "search.reward.w_above": ("search.objective", ["mnasnet_reward"]),
    "search.warmup_ratio": ("nas.type", ["simultaneous"]),
    "search.update_interval": ("nas.type", ["simultaneous"]),
}


def with_conditions(config: Config) -> Optimize:
    """The study with all conditions of its parameters, its own and those of READERS, in names of searched parameters.

    A condition on a key that is not searched either holds in every trial, and is left out, or in none; then it stays,
    and the parameter is never sampled.
    """
    searched = {path_of(parameter.name): parameter.name for parameter in config.optimize.parameters}
    values = config.model_dump(mode="json")

    def conditions(parameter: Parameter) -> dict[str, list[Any]]:
        own = {path_of(name): allowed for name, allowed in parameter.when.items()}
        if path_of(parameter.name) in READERS:
            path, readers = READERS[path_of(parameter.name)]
            own[path] = [value for value in readers if value in own.get(path, readers)]
        return {
            searched.get(path, path): allowed
            for path, allowed in own.items()
            if path in searched or value_at(values, path) not in allowed
        }

    parameters = [p.model_copy(update={"when": conditions(p)}) for p in config.optimize.parameters]
    return config.optimize.model_copy(update={"parameters": parameters})


def check_conditions(config: Config) -> None:
    """Refuse conditions that name no key, or a value it cannot have, and more trials than a grid has points.

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
    """How many trials must repeat an earlier one, because there are fewer points than trials."""
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
            raise InputError(f"{location}: {str(error).removeprefix('config: ')}") from None
