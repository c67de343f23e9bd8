"""A study in Optuna's types: distributions, trials, and the journal that optuna-dashboard reads. No torch here."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nasmake.config.study import Optimize, Parameter
from nasmake.core.records import COMPLETE, ObservedTrial, TrialResult

Distribution = CategoricalDistribution | IntDistribution | FloatDistribution


def distribution(parameter: Parameter) -> Distribution:
    """Return the values of a searched parameter as Optuna's distribution."""
    if parameter.type == "categorical":
        return CategoricalDistribution(parameter.choices or [])
    assert parameter.lower is not None and parameter.upper is not None  # the configuration was checked
    # Optuna expects that the upper bound is itself a value of the steps.
    high = parameter.value(int(parameter.size) - 1) if parameter.step else parameter.upper
    if parameter.type == "uniform_int":
        return IntDistribution(int(parameter.lower), int(high), log=parameter.log, step=int(parameter.step or 1))
    return FloatDistribution(parameter.lower, high, log=parameter.log, step=parameter.step)


def distributions(parameters: Sequence[Parameter]) -> dict[str, BaseDistribution]:
    """Return Optuna's distributions of the searched parameters, by name."""
    return {parameter.name: distribution(parameter) for parameter in parameters}


def observed_fields(optimize: Optimize) -> tuple[str, ...]:
    """Return the names of the fields of a result that the study observes."""
    return ("state", "value", *optimize.objectives[1:], "val_accuracies")


def observed_trials(
    optimize: Optimize, params: Sequence[Mapping[str, Any]], results: Sequence[TrialResult]
) -> list[ObservedTrial]:
    """Return the results of trials with their hyperparameters, as the history of a suggestion holds them."""
    names = observed_fields(optimize)
    return [
        cast(
            ObservedTrial,
            {"trial": result.trial, "params": dict(values)} | {name: getattr(result, name) for name in names},
        )
        for values, result in zip(params, results, strict=True)
    ]


def write_journal(path: Path, optimize: Optimize, name: str, trials: Sequence[ObservedTrial]) -> None:
    """Write a study as Optuna's journal, for optuna-dashboard; replace an older journal."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(temporary))), study_name=name, directions=optimize.directions
    )
    study.add_trials(frozen_trials(optimize, trials))
    temporary.replace(path)


def in_memory(optimize: Optimize, trials: Sequence[ObservedTrial]) -> optuna.Study:
    """Return a study in memory, for the importance of hyperparameters."""
    study = optuna.create_study(directions=optimize.directions)
    study.add_trials(frozen_trials(optimize, trials))
    return study


def frozen_trials(optimize: Optimize, trials: Sequence[ObservedTrial]) -> list[FrozenTrial]:
    """Return trials in Optuna's type. Only a completed trial has a value.

    Samplers rank a pruned trial below every completed one, and leave a failed one out.
    """
    space, costs = distributions(optimize.parameters), optimize.objectives[1:]
    return [
        create_trial(
            state=TrialState[trial["state"]],
            values=[dict[str, Any](trial)[name] for name in ("value", *costs)] if trial["state"] == COMPLETE else None,
            params=dict(trial["params"]),
            intermediate_values=dict(enumerate(trial.get("val_accuracies") or (), 1)),
            distributions={name: space[name] for name in trial["params"] if name in space},
        )
        for trial in trials
    ]


def silence_optuna() -> None:
    """Keep Optuna's messages out of the log. The log of the rule already names the suggestion."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
