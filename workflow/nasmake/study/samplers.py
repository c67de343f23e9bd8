"""What Sobol, grid and Nelder-Mead sampling propose for a trial: functions of (seed, trial, told results).

Each returns a point, or nothing where it has no proposal of its own and random sampling takes its place.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from nasmake.config.study import Optimize
from nasmake.core.records import COMPLETE
from nasmake.study.parameter_space import count, point_at, reduced, sampled_parameters

Trials = Sequence[Mapping[str, Any]]
Point = dict[str, Any]
RESTARTS = 100  # simplexes that may end among known points
WORST = 1e9  # loss of a trial without a value
CONVERGED = 1e-3  # size of a simplex, as a share of each range, at which the next one starts


def sobol(optimize: Optimize, trial: int, history: Trials) -> Point:
    """The trial's point of the scrambled Sobol sequence (its index is the trial's number).

    The engine is that of Optuna's QMCSampler, whose own index would depend on what was sampled before.
    """
    from scipy.stats.qmc import Sobol

    engine = Sobol(len(sampled_parameters(optimize.parameters)), scramble=True, rng=optimize.rand_seed)
    if trial > 0:
        engine.fast_forward(trial)
    return _values(optimize, engine.random(1)[0])


def grid(optimize: Optimize, trial: int, history: Trials) -> Point:
    """The first point in an order drawn by the seed that no earlier trial has; nothing when all are taken."""
    taken, draw, size = [entry["params"] for entry in history], random.Random(optimize.rand_seed), _size(optimize)
    if trial >= size:
        return {}
    seen: set[int] = set()
    while len(seen) < size:
        index = draw.randrange(size)
        if index not in seen and (point := point_at(optimize.parameters, index)) not in taken:
            return point
        seen.add(index)
    return {}


def nelder_mead(optimize: Optimize, trial: int, history: Trials) -> Point:
    """The next point of a Nelder-Mead search, by replaying it over the known trials up to the first unknown point.

    A step needs the result of the step before, so there are `lag` independent searches, which take turns: all earlier
    trials of a search are told when its next one is suggested. A converged search starts again elsewhere.
    """
    from scipy.optimize import minimize

    losses = {_key(entry["params"]): _loss(entry) for entry in history}

    def loss(coordinates: NDArray[np.float64]) -> float:
        point = reduced(optimize.parameters, _values(optimize, coordinates))
        if (key := _key(point)) not in losses:
            raise _NewPointError(point)
        return losses[key]

    options = {"xatol": CONVERGED, "fatol": np.inf, "maxiter": 10**5, "maxfev": 10**5}
    for restart in range(RESTARTS):
        start = _simplex(optimize, trial % (optimize.lag or 1), restart)
        frame: dict[str, Any] = {"bounds": [(0, 1)] * start.shape[1], "options": options | {"initial_simplex": start}}
        try:
            minimize(loss, start[0], method="Nelder-Mead", **frame)
        except _NewPointError as found:
            return found.point
    return {}


PROPOSALS: Mapping[str, Callable[[Optimize, int, Trials], Point]] = {
    "SobolOptimizer": sobol,
    "GridOptimizer": grid,
    "NelderMeadOptimizer": nelder_mead,
}


class _NewPointError(Exception):
    """The search asks for a point that no trial has."""

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point


def _simplex(optimize: Optimize, search: int, restart: int) -> NDArray[np.float64]:
    """Corners [D + 1, D] drawn at random; initial values are coordinates of the trials that they are given for."""
    parameters = sampled_parameters(optimize.parameters)
    size = len(parameters)
    corners = np.random.default_rng([optimize.rand_seed, search, restart]).random((size + 1, size))
    for (corner, row), (column, parameter) in itertools.product(enumerate(corners), enumerate(parameters)):
        trial = search + corner * (optimize.lag or 1)
        if restart == 0 and (value := dict(enumerate(parameter.first_values)).get(trial)) is not None:
            row[column] = parameter.coordinate(value)
    return corners


def _values(optimize: Optimize, coordinates: NDArray[np.float64]) -> Point:
    return {p.name: p.at(float(c)) for p, c in zip(sampled_parameters(optimize.parameters), coordinates, strict=True)}


def _key(point: Point) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(point.items()))


def _loss(entry: Mapping[str, Any]) -> float:
    return -entry["value"] if entry["state"] == COMPLETE else WORST


def _size(optimize: Optimize) -> int:
    return int(count(optimize.parameters))


def _tpe(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    # Every option is written out: two of these defaults changed with Optuna 5, and suggestions must not change so.
    return optuna.samplers.TPESampler(
        seed=seed,
        n_startup_trials=optimize.n_startup_trials,
        n_ei_candidates=24,
        multivariate=True,
        group=True,  # parameters that are sampled together share a density; the same as False without conditions
        constant_liar=True,
    )


def _random(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


HPO_SAMPLERS = {  # of Optuna; the others have PROPOSALS
    "TpeOptimizer": _tpe,
    "RandomOptimizer": _random,
}
