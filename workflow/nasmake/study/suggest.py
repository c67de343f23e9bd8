"""The study over hyperparameters as a fold: a suggestion is a function of (seed, trial, told results), nothing else.

A suggestion carries the whole history, so it needs no database and comes out the same on one core and on a hundred.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution

from nasmake.config.study import Optimize, Parameter
from nasmake.core.records import COMPLETE
from nasmake.study.journal import CURVE, _distribution, frozen_trials, silence_optuna
from nasmake.study.parameter_space import count, is_sampled, ordered
from nasmake.study.samplers import HPO_SAMPLERS, PROPOSALS, _random, grid

RUNNING = "RUNNING"  # not told yet
DRAWS = 20  # random draws before a point may come a second time


def suggest(
    optimize: Optimize, previous: Mapping[str, Any] | None, observed: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Suggest the parameters of the next trial.

    Args:
        optimize: the study's settings; trial_number is not read.
        previous: suggestion of the trial before; None for trial 0.
        observed: the newest result that this trial may know; None as long as no trial is `lag` behind.

    Returns:
        {"trial", "params", "history"}; history has one entry for each trial before, RUNNING where not yet told. With a
        pruner also "prune_below": for each epoch of the retraining the val accuracy below which it stops, or None.
    """
    history = _history(optimize, previous, observed)
    suggestion = {"trial": len(history), "params": _new_point(optimize, history), "history": history}
    return suggestion | ({"prune_below": prune_below(optimize, history)} if optimize.pruner != "none" else {})


def prune_below(optimize: Optimize, history: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Median val accuracy of the told trials at each epoch; None where fewer than n_startup_trials got so far."""
    curves = [trial[CURVE] for trial in history if trial["state"] == COMPLETE]
    observed = [
        [curve[epoch] for curve in curves if epoch < len(curve)] for epoch in range(max(map(len, curves), default=0))
    ]
    return [
        median(values) if epoch >= optimize.n_warmup_epochs and len(values) >= optimize.n_startup_trials else None
        for epoch, values in enumerate(observed)
    ]


def _history(
    optimize: Optimize, previous: Mapping[str, Any] | None, observed: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    if previous is None:
        return []
    running = {"trial": previous["trial"], "params": previous["params"], "state": RUNNING, "value": None}
    history = [*previous["history"], running]
    if observed is not None:
        facts = ("state", "value", *optimize.objectives[1:], CURVE)
        history[observed["trial"]] = history[observed["trial"]] | {
            fact: observed[fact] for fact in facts if fact in observed
        }
    return history


def _new_point(optimize: Optimize, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The trial's point. One that was there before is replaced by a random one: it would bring the same result."""
    taken = [entry["params"] for entry in history]
    for draw in range(DRAWS):
        if (point := _ask(optimize, history, draw)) not in taken:
            return point
    return point if math.isinf(count(optimize.parameters)) else grid(optimize, len(history), history) or point


def _ask(optimize: Optimize, history: Sequence[Mapping[str, Any]], draw: int) -> dict[str, Any]:
    """Ask the sampler, or from the second draw on a random one, for the parameters that the trial reads."""
    silence_optuna()
    number, name = len(history), optimize.sampler if draw == 0 else "RandomOptimizer"
    seed = int(np.random.SeedSequence([optimize.rand_seed, number, draw]).generate_state(1)[0])
    study = optuna.create_study(sampler=HPO_SAMPLERS.get(name, _random)(optimize, seed), directions=optimize.directions)
    study.add_trials(frozen_trials(optimize, history))
    proposal = PROPOSALS[name](optimize, number, history) if name in PROPOSALS else {}
    fixed = proposal | (_first_values(optimize, number) if draw == 0 else {})
    if fixed:
        study.enqueue_trial(fixed)
    trial = study.ask()
    point: dict[str, Any] = {}
    for parameter in ordered(optimize.parameters):
        if is_sampled(parameter, point):
            point[parameter.name] = parameter.snapped(_sampled(trial, parameter))
    return point


def _first_values(optimize: Optimize, number: int) -> dict[str, Any]:
    """The initial values of a trial."""
    given = {p.name: p.first_values[number] for p in optimize.parameters if number < len(p.first_values)}
    return {name: value for name, value in given.items() if value is not None}


def _sampled(trial: optuna.Trial, parameter: Parameter) -> Any:
    found = _distribution(parameter)
    if isinstance(found, CategoricalDistribution):
        return trial.suggest_categorical(parameter.name, found.choices)
    if isinstance(found, IntDistribution):
        return trial.suggest_int(parameter.name, found.low, found.high, step=found.step, log=found.log)
    return trial.suggest_float(parameter.name, found.low, found.high, step=found.step, log=found.log)
