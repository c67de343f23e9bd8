"""The study over hyperparameters as a fold: a suggestion is a function of (seed, trial, told results), nothing else.

A suggestion carries the whole history, so it needs no database and comes out the same on one core and on a hundred.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nasmake.job import COMPLETE
from nasmake.optimize import Optimize, Parameter

RUNNING = "RUNNING"  # not told yet


def suggest(optimize: Optimize, previous: Mapping[str, Any] | None, told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Suggest the parameters of the next trial.

    Args:
        optimize: the study's settings; trial_number is not read.
        previous: suggestion of the trial before; None for trial 0.
        told: the newest result that this trial may know; None as long as no trial is `lag` behind.

    Returns:
        {"trial", "params", "history"}; history has one entry for each trial before, RUNNING where not yet told.
    """
    history = _history(previous, told)
    number = len(history)
    trial = _study(optimize, number, history).ask(distributions(optimize.parameters))
    return {"trial": number, "params": trial.params, "history": history}


def distributions(parameters: Sequence[Parameter]) -> dict[str, BaseDistribution]:
    """Optuna's form of the searched parameters, by name."""
    return {parameter.name: _distribution(parameter) for parameter in parameters}


def write_journal(path: Path, optimize: Optimize, name: str, trials: Sequence[Mapping[str, Any]]) -> None:
    """Write a study as Optuna's journal, for optuna-dashboard; an older journal is replaced."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(temporary))), study_name=name, direction=optimize.goal
    )
    study.add_trials(frozen_trials(optimize, trials))
    temporary.replace(path)


def in_memory(optimize: Optimize, trials: Sequence[Mapping[str, Any]]) -> optuna.Study:
    """A study to look at: importances, plots."""
    study = optuna.create_study(direction=optimize.goal)
    study.add_trials(frozen_trials(optimize, trials))
    return study


def frozen_trials(optimize: Optimize, trials: Sequence[Mapping[str, Any]]) -> list[FrozenTrial]:
    """Told and running trials in Optuna's form; a diverged one has no value and ranks below every completed one."""
    space = distributions(optimize.parameters)
    return [
        create_trial(
            state=TrialState[trial["state"]],
            value=trial["value"] if trial["state"] == COMPLETE else None,
            params=dict(trial["params"]),
            distributions=space,
        )
        for trial in trials
    ]


def quiet() -> None:
    """Keep Optuna from reporting what the log of a rule says anyway."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def _history(previous: Mapping[str, Any] | None, told: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if previous is None:
        return []
    running = {"trial": previous["trial"], "params": previous["params"], "state": RUNNING, "value": None}
    history = [*previous["history"], running]
    if told is not None:
        history[told["trial"]] = history[told["trial"]] | {"state": told["state"], "value": told["value"]}
    return history


def _study(optimize: Optimize, number: int, history: Sequence[Mapping[str, Any]]) -> optuna.Study:
    quiet()
    seed = int(np.random.SeedSequence([optimize.rand_seed, number]).generate_state(1)[0])
    study = optuna.create_study(sampler=_sampler(optimize, seed), direction=optimize.goal)
    study.add_trials(frozen_trials(optimize, history))
    initial = {parameter.name: parameter.initial for parameter in optimize.parameters if parameter.initial is not None}
    if number == 0 and initial:
        study.enqueue_trial(initial)
    return study


def _sampler(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    return SAMPLERS[optimize.search_algorithm.rsplit(".", 1)[-1]](optimize, seed)


def _tpe(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    # Every option is written out: two of these defaults changed with Optuna 5, and suggestions must not change so.
    return optuna.samplers.TPESampler(
        seed=seed,
        n_startup_trials=optimize.n_startup_trials,
        n_ei_candidates=24,
        multivariate=True,
        group=False,
        constant_liar=True,
    )


def _random(optimize: Optimize, seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


SAMPLERS = {"TpeOptimizer": _tpe, "RandomOptimizer": _random}


def _distribution(parameter: Parameter) -> BaseDistribution:
    if parameter.type == "categorical":
        return CategoricalDistribution(parameter.choices or [])
    assert parameter.lower is not None and parameter.upper is not None  # the configuration was checked
    if parameter.type == "uniform_int":
        return IntDistribution(int(parameter.lower), int(parameter.upper), log=parameter.log)
    return FloatDistribution(parameter.lower, parameter.upper, log=parameter.log)
