"""Points of a study: which parameters a trial samples, how many points there are, and the n-th of them.

Imported by the Snakefile: standard library only, beside the configuration.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from nasmake.optimize import Parameter

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
