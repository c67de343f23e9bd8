"""A study in Optuna's types: distributions, trials, and the journal that optuna-dashboard reads. No torch here."""

import os
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


class NoLock:
    """A lock of Optuna that locks nothing, as one process writes. A lock file of a killed process would stay."""

    def acquire(self) -> bool:
        """Return True: the journal is always free."""
        return True

    def release(self) -> None:
        """Do nothing."""


def extend_journal(path: Path, optimize: Optimize, name: str, trials: Sequence[FrozenTrial]) -> None:
    """Bring a study's journal up to date, for optuna-dashboard.

    A dashboard that runs knows how far it has read, so this function only appends. Optuna lets nobody change a finished
    trial. If one differs, as after its final training, the study is deleted in the journal and written anew behind it.

    Args:
        path: the journal.
        optimize: the study's settings.
        name: name of the study.
        trials: all trials that have a suggestion, in order.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    _drop_torn_line(path)
    backend = JournalFileBackend(str(path), NoLock())  # type: ignore[arg-type]  # its base class is private
    storage = JournalStorage(backend)
    studies = storage.get_all_studies()  # none, or the one of this name
    told = storage.get_all_trials(studies[0]._study_id, deepcopy=False) if studies else []
    is_other = bool(studies) and [one.name.lower() for one in studies[0].directions] != optimize.directions
    if is_other or len(told) > len(trials) or any(map(_contradicts, told, trials)):
        optuna.delete_study(study_name=name, storage=storage)
        studies, told = [], []
    for old, new in zip(told, trials, strict=False):
        if not old.state.is_finished() and (operations := _operations(old, new)):
            backend.append_logs(operations)
    if studies:
        study = optuna.load_study(study_name=name, storage=storage)
    else:
        study = optuna.create_study(study_name=name, storage=storage, directions=optimize.directions)
    study.add_trials(trials[len(told) :])


def _operations(old: FrozenTrial, new: FrozenTrial) -> list[dict[str, Any]]:
    """Return the lines of the journal that tell what a running trial has reached since it was told.

    They are written as they stand in the file, since Optuna's own functions would write the present moment as the end
    of the trial.
    """
    head = {"worker_id": "nasmake", "trial_id": old._trial_id}
    lines: list[dict[str, Any]] = [
        head | {"op_code": 7, "step": step, "intermediate_value": value}
        for step, value in new.intermediate_values.items()
        if old.intermediate_values.get(step) != value
    ]
    if new.state.is_finished() and new.datetime_complete is not None:
        lines += [head | {"op_code": 8, "user_attr": {key: value}} for key, value in new.user_attrs.items()]
        end = new.datetime_complete.isoformat(timespec="microseconds")
        values = new.values if new.state == TrialState.COMPLETE else None
        lines.append(head | {"op_code": 6, "state": int(new.state), "values": values, "datetime_complete": end})
    return lines


def _contradicts(old: FrozenTrial, new: FrozenTrial) -> bool:
    """Return True if the journal tells something of a trial that is not true any more."""
    if old.params != new.params:
        return True
    facts = [
        (one.state, one.values if one.state == TrialState.COMPLETE else None, one.user_attrs) for one in (old, new)
    ]
    return old.state.is_finished() and facts[0] != facts[1]


def _drop_torn_line(path: Path) -> None:
    """Remove an unfinished line, which a process that was killed may have left."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


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
