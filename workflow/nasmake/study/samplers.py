"""Samplers of hyperparameters: Optuna's TPE and random sampling, and the proposals of Sobol, grid and Nelder-Mead.

A proposal is a function of the study's seed, the trial's number and the observed results. It returns a point, or an
empty one if the method has none left; random sampling then decides. No torch here.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from nasmake.config.study import Optimize
from nasmake.core.records import COMPLETE, PRUNED, ObservedTrial
from nasmake.study.parameter_space import count, point_at, reduced, sampled_parameters

Trials = Sequence[ObservedTrial]
Point = dict[str, Any]
RESTARTS = 100  # simplexes that are tried until a search asks for a point that no trial has
WORST = 1e9  # loss of a trial without a value
CONVERGED = 1e-3  # size of a simplex, as a share of each range, at which the next one starts


def sobol(optimize: Optimize, trial: int, history: Trials) -> Point:
    """Return the point of the scrambled Sobol sequence whose index is the trial's number.

    The engine is that of Optuna's QMCSampler. That sampler's own index depends on the trials that ran before.
    """
    from scipy.stats.qmc import Sobol

    engine = Sobol(len(sampled_parameters(optimize.parameters)), scramble=True, rng=optimize.rand_seed)
    if trial > 0:
        engine.fast_forward(trial)
    return _point(optimize, engine.random(1)[0])


def startup(optimize: Optimize, trial: int, history: Trials) -> Point:
    """Return the Sobol point of a trial that TPE does not decide; empty if TPE or random sampling decides.

    TPE, like this function, counts the completed and the pruned trials.
    """
    observed = sum(entry["state"] in (COMPLETE, PRUNED) for entry in history)
    is_sobol = optimize.startup_sampler == "sobol" and observed < optimize.startup_trials
    return sobol(optimize, trial, history) if is_sobol else {}


def grid(optimize: Optimize, trial: int, history: Trials) -> Point:
    """Return the first point, in an order drawn by the seed, that no earlier trial has; empty if none is left."""
    taken, rng, size = (
        [entry["params"] for entry in history],
        random.Random(optimize.rand_seed),
        count(optimize.parameters),
    )
    if trial >= size:
        return {}
    seen: set[int] = set()
    while len(seen) < size:
        index = rng.randrange(int(size))
        if index not in seen and (point := point_at(optimize.parameters, index)) not in taken:
            return point
        seen.add(index)
    return {}


def nelder_mead(optimize: Optimize, trial: int, history: Trials) -> Point:
    """Return the next point of a Nelder-Mead search, by replaying the search over the known trials.

    A step needs the result of the step before. `lag` independent searches therefore take turns, so that all earlier
    trials of a search are observed when its next trial is suggested. A converged search restarts from a new simplex.
    """
    from scipy.optimize import minimize

    losses = {
        tuple(sorted(entry["params"].items())): -entry["value"]
        if entry["state"] == COMPLETE and entry["value"] is not None
        else WORST
        for entry in history
    }

    def loss(coordinates: NDArray[np.float64]) -> float:
        point = reduced(optimize.parameters, _point(optimize, coordinates))
        if (key := tuple(sorted(point.items()))) not in losses:
            raise _NewPointError(point)
        return losses[key]

    options = {"xatol": CONVERGED, "fatol": np.inf, "maxiter": 10**5, "maxfev": 10**5}
    for restart in range(RESTARTS):
        simplex = _simplex(optimize, trial % optimize.trials_at_once, restart)
        bounds = [(0, 1)] * simplex.shape[1]
        try:
            minimize(
                loss, simplex[0], method="Nelder-Mead", bounds=bounds, options=options | {"initial_simplex": simplex}
            )
        except _NewPointError as new:
            return new.point
    return {}


PROPOSALS: Mapping[str, Callable[[Optimize, int, Trials], Point]] = {
    "TpeOptimizer": startup,
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
    """Return the corners [D + 1, D] of a random simplex, in coordinates 0..1.

    The first corners of the first simplex take the initial values that the configuration gives for their trials.
    """
    parameters = sampled_parameters(optimize.parameters)
    size = len(parameters)
    corners: NDArray[np.float64] = np.random.default_rng([optimize.rand_seed, search, restart]).random((size + 1, size))
    if restart == 0:
        for corner, row in enumerate(corners):
            trial = search + corner * optimize.trials_at_once
            for column, parameter in enumerate(parameters):
                if trial < len(parameter.first_values) and (value := parameter.first_values[trial]) is not None:
                    row[column] = parameter.coordinate(value)
    return corners


def _point(optimize: Optimize, coordinates: NDArray[np.float64]) -> Point:
    return {p.name: p.at(float(c)) for p, c in zip(sampled_parameters(optimize.parameters), coordinates, strict=True)}


def tpe_sampler(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    """Return Optuna's TPE sampler with every option written out.

    Optuna 5 changed two of these defaults, and the suggestions of a study must not change with the version.
    """
    return optuna.samplers.TPESampler(
        seed=seed,
        n_startup_trials=optimize.startup_trials,
        n_ei_candidates=24,
        multivariate=True,
        group=True,  # parameters that are sampled together share a density; the same as False without conditions
        constant_liar=True,
    )


def random_sampler(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    """Return Optuna's random sampler."""
    return optuna.samplers.RandomSampler(seed=seed)


HPO_SAMPLERS = {"TpeOptimizer": tpe_sampler, "RandomOptimizer": random_sampler}  # the other methods only have PROPOSALS
