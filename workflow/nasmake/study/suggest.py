"""The suggestion of one trial: a function of the study's seed, the trial's number and the observed results.

Every suggestion replays the history of the study in a new Optuna study. A study therefore needs no database, and its
suggestions do not depend on how many jobs run in parallel. The history, the samplers and the conversion to Optuna's
types live beside this module. No torch here.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution

from nasmake.config.study import Optimize
from nasmake.core.records import COMPLETE, ObservedTrial
from nasmake.study.history import checksum, history_of
from nasmake.study.journal import Distribution, distribution, frozen_trials, observed_fields, silence_optuna
from nasmake.study.parameter_space import count, is_sampled, ordered
from nasmake.study.samplers import HPO_SAMPLERS, PROPOSALS, grid, random_sampler

DRAWS = 20  # points that are drawn until one is new; afterwards a point may repeat


def suggest(
    optimize: Optimize, earlier: Sequence[Mapping[str, Any]], result: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the content of suggestion.json for the next trial.

    Args:
        optimize: the study's settings; trial_number is not read.
        earlier: content of suggestion.json of every earlier trial, in order.
        result: content of the newest result.json that this trial may know; None if no trial is `lag` behind.

    Returns:
        The fields of a Suggestion. `prune_below` is present in a study with a pruner.
    """
    names = ("trial", *observed_fields(optimize))
    observed = None if result is None else {"value": None} | {name: result[name] for name in names if name in result}
    history = history_of(earlier, observed)
    suggestion = {
        "trial": len(history),
        "params": _new_point(optimize, history),
        "previous": checksum(earlier[-1]) if earlier else None,
        "observed": observed,
    }
    return suggestion | ({"prune_below": prune_below(optimize, history)} if optimize.pruner != "none" else {})


def prune_below(optimize: Optimize, history: Sequence[ObservedTrial]) -> list[float | None]:
    """Return for each epoch the median val accuracy of the completed trials, below which a retraining is stopped.

    The limit of an epoch is None during the first n_warmup_epochs, and if fewer than startup_trials reached it.
    """
    curves = [trial["val_accuracies"] for trial in history if trial["state"] == COMPLETE]
    limits: list[float | None] = []
    for epoch in range(max(map(len, curves), default=0)):
        accuracies = [curve[epoch] for curve in curves if epoch < len(curve)]
        is_limited = epoch >= optimize.n_warmup_epochs and len(accuracies) >= optimize.startup_trials
        limits.append(median(accuracies) if is_limited else None)
    return limits


def _new_point(optimize: Optimize, history: Sequence[ObservedTrial]) -> dict[str, Any]:
    """Return the trial's point. An earlier trial's point would give the same result, so a random one replaces it."""
    taken = [entry["params"] for entry in history]
    for draw in range(DRAWS):
        if (point := _ask(optimize, history, draw)) not in taken:
            return point
    return point if math.isinf(count(optimize.parameters)) else grid(optimize, len(history), history) or point


def _ask(optimize: Optimize, history: Sequence[ObservedTrial], draw: int) -> dict[str, Any]:
    """Return a value for each parameter that the trial samples.

    The study's sampler decides in draw 0, together with the initial values. Later draws are random.
    """
    silence_optuna()
    number, name = len(history), optimize.sampler if draw == 0 else "RandomOptimizer"
    seed = int(np.random.SeedSequence([optimize.rand_seed, number, draw]).generate_state(1)[0])
    sampler = HPO_SAMPLERS.get(name, random_sampler)(optimize, seed)
    study = optuna.create_study(sampler=sampler, directions=optimize.directions)
    study.add_trials(frozen_trials(optimize, history))
    fixed = PROPOSALS[name](optimize, number, history) if name in PROPOSALS else {}
    if draw == 0:
        initial = {p.name: p.first_values[number] for p in optimize.parameters if number < len(p.first_values)}
        fixed |= {name: value for name, value in initial.items() if value is not None}
    if fixed:
        study.enqueue_trial(fixed)
    trial = study.ask()
    point: dict[str, Any] = {}
    for parameter in ordered(optimize.parameters):
        if is_sampled(parameter, point):
            point[parameter.name] = parameter.snapped(_value(trial, parameter.name, distribution(parameter)))
    return point


def _value(trial: optuna.Trial, name: str, values: Distribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
