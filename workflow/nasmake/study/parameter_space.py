"""The points of a study: which hyperparameters a trial samples, how many points there are, and the n-th of them.

The conditions that the configuration implies are in `nasmake.pipeline.conditions`. Imported by the Snakefile: no torch
and no optuna here.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from nasmake.config.study import Parameter

Point = Mapping[str, Any]


def ordered(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the parameters in an order in which each one follows those that its conditions name.

    Raises:
        ValueError: the conditions form a circle.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    graph = {parameter.name: [name for name in parameter.when if name in by_name] for parameter in parameters}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise ValueError(f"the conditions `when` form a circle: {' -> '.join(error.args[1])}") from None


def is_sampled(parameter: Parameter, point: Point) -> bool:
    """Return True if all conditions of a parameter hold; a condition on a parameter that is not sampled does not."""
    return all(name in point and point[name] in values for name, values in parameter.when.items())


def never_sampled(parameters: Sequence[Parameter]) -> dict[str, str]:
    """Return the parameters that no trial samples, each with the name in the condition that excludes it."""
    excluded: dict[str, str] = {}
    names = {parameter.name for parameter in parameters}
    for parameter in ordered(parameters):
        unsampled = [name for name in parameter.when if name not in names or name in excluded]
        if unsampled:
            excluded[parameter.name] = unsampled[0]
    return excluded


def sampled_parameters(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the parameters that some trial samples."""
    never = never_sampled(parameters)
    return [parameter for parameter in parameters if parameter.name not in never]


def reduced(parameters: Sequence[Parameter], values: Point) -> dict[str, Any]:
    """Return the values that a trial reads, out of one value for each parameter."""
    point: dict[str, Any] = {}
    for parameter in ordered(parameters):
        if is_sampled(parameter, point):
            point[parameter.name] = values[parameter.name]
    return point


def count(parameters: Sequence[Parameter]) -> float:
    """Return the number of different points; infinite if some point samples a parameter without a step."""
    return _count(ordered(parameters), _conditions(parameters), {})


def point_at(parameters: Sequence[Parameter], index: int) -> dict[str, Any]:
    """Return the point with an index in 0 .. count - 1. The values of the last parameters change first."""
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
