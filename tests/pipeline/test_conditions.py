"""Hyperparameters that a trial does not read are not sampled in it."""

from pathlib import Path

import pytest
import torch
import yaml
from nasmake.config import keys, load
from nasmake.config.aiaccel import ALIASES
from nasmake.config.supernet import OPTIMIZERS, SCHEDULERS, Supernet
from nasmake.core.errors import InputError
from nasmake.engine.optimizers import build_optimizer
from nasmake.engine.schedules import factor
from nasmake.pipeline.conditions import READERS, check_conditions, repeated_trials, with_conditions
from nasmake.study.parameter_space import never_sampled, sampled_parameters
from nasmake.study.suggest import suggest
from pydantic import TypeAdapter

LR = {"name": "initial_lr", "type": "uniform_float", "lower": 0.1, "upper": 1.0}
OPTIMIZER = {"name": "optimizer", "type": "categorical", "choices": ["MomentumSGD", "Adam", "RMSprop"]}
MOMENTUM = {"name": "momentum", "type": "uniform_float", "lower": 0.1, "upper": 1.0}


def configuration(*parameters, **sections):
    optimize = {"trial_number": 2, "parameters": [LR, *parameters]} | sections.pop("optimize", {})
    return load({"optimize": optimize} | sections)


def conditions(*parameters, **sections):
    return {p.name: p.when for p in with_conditions(configuration(*parameters, **sections)).parameters}


def literals(annotation):
    return TypeAdapter(annotation).json_schema()["enum"]


def is_read(change, key, decider, value):
    """Return whether another value of `key` changes the result of `change`, an optimizer or learning rates."""
    settings = {decider: value}
    return change(Supernet(**settings)) != change(Supernet(**settings, **{key: 0.77 if key != "total_epochs" else 3}))


def optimizer_state(settings):
    return repr(build_optimizer(settings, [torch.nn.Parameter(torch.zeros(1))])) + str(
        build_optimizer(settings, [torch.nn.Parameter(torch.zeros(1))]).defaults
    )


def learning_rates(settings):
    return [factor(settings, epoch / 4, 100) for epoch in range(400)]


@pytest.mark.parametrize("path", [path for path in READERS if path.startswith("supernet.")])
def test_readers_are_those_that_the_code_has(path):
    decider, readers = READERS[path]
    key, decider = path.removeprefix("supernet."), decider.removeprefix("supernet.")
    change = {"optimizer": optimizer_state, "scheduler": learning_rates}.get(decider)
    if change is not None:
        allowed = literals(OPTIMIZERS if decider == "optimizer" else SCHEDULERS)
        assert [value for value in allowed if is_read(change, key, decider, value)] == readers


def test_readers_name_keys():
    known = set(keys())
    assert known >= READERS.keys() | {decider for decider, _ in READERS.values()}


def test_predecessors_study_samples_what_is_read():
    study = with_conditions(
        load(yaml.safe_load((Path(__file__).parents[2] / "config/presets/aiaccel.yaml").read_text()))
    )
    assert never_sampled(study.parameters) == {}
    suggestions, seen = [], set()
    for _ in range(30):
        suggestions.append(suggest(study, suggestions, None))
        point = suggestions[-1]["params"]
        seen |= point.keys()
        for name in point:
            decider, readers = READERS.get(ALIASES[name], (None, None))
            alias = {"supernet.optimizer": "optimizer", "supernet.scheduler": "scheduler"}.get(decider)
            assert alias is None or point[alias] in readers
    assert seen == set(ALIASES)


def test_condition_on_a_searched_key_is_kept_by_its_searched_name():
    assert conditions(MOMENTUM, OPTIMIZER)["momentum"] == {"optimizer": ["MomentumSGD", "NAG", "RMSprop"]}


@pytest.mark.parametrize("optimizer, sampled", [("NAG", True), ("Adam", False)])
def test_condition_on_a_fixed_key_holds_in_all_trials_or_in_none(optimizer, sampled):
    study = with_conditions(configuration(MOMENTUM, supernet={"optimizer": optimizer}))
    assert [p.name for p in sampled_parameters(study.parameters)] == ["initial_lr", "momentum"][: 1 + sampled]


def test_conditions_of_the_user_narrow_those_that_are_built_in():
    when = {"optimizer": ["Adam", "RMSprop"], "nas.num_epochs_retrain": 60}
    assert conditions(OPTIMIZER, MOMENTUM | {"when": when})["momentum"] == {"optimizer": ["RMSprop"]}


def test_resolving_twice_changes_nothing():
    config = configuration(OPTIMIZER, MOMENTUM)
    once = with_conditions(config)
    assert with_conditions(config.model_copy(update={"optimize": once})) == once


@pytest.mark.parametrize(
    "parameters, message",
    [
        ([MOMENTUM | {"when": {"optimizr": "Adam"}}], "momentum: when: optimizr is no key; did you mean optimizer?"),
        ([MOMENTUM | {"when": {"optimizer": "Adm"}}], "momentum: when: supernet.optimizer is Adm; expected"),
        ([OPTIMIZER, MOMENTUM | {"when": {"optimizer": "NAG"}}], "momentum: when: optimizer is NAG; expected one of"),
        (
            [{"name": "lam", "type": "uniform_int", "lower": 1, "upper": 10**12}, MOMENTUM | {"when": {"lam": 1}}],
            "momentum: when: lam has 1000000000000 values; expected at most 10000: give lam a step",
        ),
        ([MOMENTUM | {"when": {"initial_lr": 0.5}}], "momentum: when: initial_lr has a range without steps; expected"),
        (
            [OPTIMIZER | {"when": {"lam": 1}}, {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 2}
             | {"when": {"optimizer": "Adam"}}],
            "the conditions `when` form a circle: ",
        ),
    ],
)  # fmt: skip
def test_conditions_that_cannot_hold_are_refused(parameters, message):
    with pytest.raises(InputError) as error:
        check_conditions(configuration(*parameters))
    assert str(error.value).startswith(f"config: optimize.parameters: {message}")


def test_more_trials_than_points_are_refused_for_a_grid_only():
    optimize = {"parameters": [OPTIMIZER], "trial_number": 4}
    with pytest.raises(InputError, match=r"trial_number is 4; expected 3 or less, the number of points of the grid$"):
        check_conditions(configuration(optimize=optimize | {"search_algorithm": "GridOptimizer"}))
    check_conditions(configuration(optimize=optimize))
    assert repeated_trials(configuration(optimize=optimize)) == 1
    assert repeated_trials(configuration(optimize=optimize | {"trial_number": 3})) == 0


@pytest.mark.parametrize("given, lag", [({}, 4), ({"resource": {"num_node": 1}}, 1), ({"optimize": {"lag": 9}}, 9)])
def test_lag_is_by_default_the_number_of_nodes(given, lag):
    assert configuration(**given).optimize.lag == lag
