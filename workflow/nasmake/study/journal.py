"""A study in Optuna's form: distributions, trials, and the journal for optuna-dashboard."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nasmake.config.study import Optimize, Parameter
from nasmake.core.records import COMPLETE

CURVE = "val_accuracies"  # of a retraining, by epoch


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
        storage=JournalStorage(JournalFileBackend(str(temporary))), study_name=name, directions=optimize.directions
    )
    study.add_trials(frozen_trials(optimize, trials))
    temporary.replace(path)


def in_memory(optimize: Optimize, trials: Sequence[Mapping[str, Any]]) -> optuna.Study:
    """A study to look at: importances, plots."""
    study = optuna.create_study(directions=optimize.directions)
    study.add_trials(frozen_trials(optimize, trials))
    return study


def frozen_trials(optimize: Optimize, trials: Sequence[Mapping[str, Any]]) -> list[FrozenTrial]:
    """Told and running trials in Optuna's form; a diverged one has no value and ranks below every completed one."""
    space, costs = distributions(optimize.parameters), optimize.objectives[1:]
    return [
        create_trial(
            state=TrialState[trial["state"]],
            values=[trial["value"], *(trial[cost] for cost in costs)] if trial["state"] == COMPLETE else None,
            params=dict(trial["params"]),
            intermediate_values=dict(enumerate(trial.get(CURVE, ()), 1)),
            distributions={name: space[name] for name in trial["params"] if name in space},
        )
        for trial in trials
    ]


def silence_optuna() -> None:
    """Keep Optuna from reporting what the log of a rule says anyway."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def _distribution(parameter: Parameter) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    if parameter.type == "categorical":
        return CategoricalDistribution(parameter.choices or [])
    assert parameter.lower is not None and parameter.upper is not None  # the configuration was checked
    high = parameter.value(int(parameter.size) - 1) if parameter.step else parameter.upper  # Optuna wants a value
    if parameter.type == "uniform_int":
        return IntDistribution(int(parameter.lower), int(high), log=parameter.log, step=int(parameter.step or 1))
    return FloatDistribution(parameter.lower, high, log=parameter.log, step=parameter.step)
