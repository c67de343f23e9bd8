"""When a searched parameter is read at all: what the stages do not read is not sampled.

Imported by the Snakefile: no torch or optuna here.
"""

from collections.abc import Mapping
from typing import Any

from nasmake.artifacts import InputError
from nasmake.config import Config, keys, load
from nasmake.messages import nearest
from nasmake.optimize import Optimize, Parameter
from nasmake.paths import assign, value_at
from nasmake.points import count
from nasmake.predecessor import ALIASES, path_of

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
    where, path = f"config: optimize.parameters: {parameter.name}: when", path_of(name)
    if path not in (known := set(keys())):
        raise InputError(f"{where}: {name!r} is no key; {nearest(name, [*ALIASES, *known])}")
    other = next((p for p in config.optimize.parameters if path_of(p.name) == path), None)
    if other is not None and other.type == "uniform_float" and other.step is None:
        raise InputError(f"{where}: {name}: a condition needs a parameter with single values; give {name} a step")
    for value in values:
        if other is not None and other.type == "categorical" and value not in (other.choices or []):
            raise InputError(f"{where}: {name}: {value!r} is not among its choices {other.choices}")
        trial = config.model_dump(mode="json")
        assign(trial, path, value)
        try:
            load(trial)
        except InputError as error:
            raise InputError(f"{where}: {str(error).removeprefix('config: ')}") from None
