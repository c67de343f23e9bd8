"""Values that a key can have in the trials of a study, and what follows from them."""

import math

import pytest
from nasmake.config import load
from nasmake.config.study import Parameter
from nasmake.core.errors import InputError
from nasmake.pipeline.searched import needs_latency, possible_values, search_spaces_of, space_of_trial, values_of

ONE_TRIAL = {"optimize": {"trial_number": 1}}
LIMIT_OF_LATENCY = {"name": "search.constraint.latency_ms", "type": "uniform_float", "lower": 0.5, "upper": 2e6}
SEARCHED_OBJECTIVE = {"name": "search.objective", "type": "categorical", "choices": ["loss", "mnasnet_reward"]}
SEARCHED_METRIC = {"name": "search.reward.metric", "type": "categorical", "choices": ["macs", "latency_ms"]}
SPACES = {"name": "nas.search_space", "type": "categorical", "choices": ["proxyless", "mnasnet"]}


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"type": "categorical", "choices": ["a", None]}, ["a", None]),
        ({"type": "uniform_int", "lower": 1, "upper": 9}, [1, 9]),
        ({"type": "uniform_float", "lower": 1, "upper": 3}, [1.0, 3.0, 1.0 + 2.0 / math.pi]),
    ],
)
def test_values_of_a_hyperparameter(parameter, expected):
    assert values_of(Parameter(name="x", **parameter)) == expected


def test_possible_values_are_those_of_the_hyperparameter_that_searches_the_key():
    parameter = {"name": "initial_lr", "type": "categorical", "choices": [0.1, 0.2]}  # an alias of supernet.lr
    config = load({"optimize": {"trial_number": 1, "parameters": [parameter]}, "supernet": {"gamma": 0.5}})
    assert possible_values(config, "supernet.lr") == [0.1, 0.2]
    assert possible_values(config, "supernet.gamma") == [0.5]


def test_searched_spaces():
    assert search_spaces_of(load(ONE_TRIAL)) == ["proxyless"]
    assert search_spaces_of(load({"optimize": {"parameters": [SPACES]}})) == ["proxyless", "mnasnet"]
    number = {"name": "nas.search_space", "type": "uniform_int", "lower": 1, "upper": 2}
    with pytest.raises(InputError, match=r"^config: optimize\.parameters: nas\.search_space: type is uniform_int; exp"):
        search_spaces_of(load({"optimize": {"parameters": [number]}}))


def test_space_of_a_trial():
    space, other = {"name": "a", "content": {}}, {"name": "b", "content": {}}
    assert space_of_trial(space, {}) is space
    assert space_of_trial({"choices": {"a": space, "b": other}}, {"nas.search_space": "b"}) is other


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"latency": {"table": "x.json"}}, False),
        ({"search": {"algorithm": "proxyless", "expected_cost": {"metric": "latency_ms"}}}, True),
        ({"search": {"algorithm": "asng", "expected_cost": {"metric": "latency_ms"}}}, False),
        ({"search": {"constraint": {"latency_ms": 1.5}}}, True),
        ({"optimize": {"parameters": [LIMIT_OF_LATENCY]}}, True),
        ({"optimize": {"parameters": [LIMIT_OF_LATENCY | {"name": "search.constraint.macs", "lower": 1e6}]}}, False),
        ({"search": {"front": ["macs", "latency_ms"]}}, True),
        ({"search": {"reward": {"metric": "latency_ms"}}}, False),
        ({"search": {"objective": "mnasnet_reward", "reward": {"metric": "macs", "target": 1e6}}}, False),
        ({"search": {"objective": "mnasnet_reward", "reward": {"metric": "latency_ms", "target": 1}}}, True),
        ({"search": {"reward": {"metric": "latency_ms"}}, "optimize": {"parameters": [SEARCHED_OBJECTIVE]}}, True),
        ({"search": {"objective": "mnasnet_reward"}, "optimize": {"parameters": [SEARCHED_METRIC]}}, True),
    ],
)
def test_who_needs_a_latency_table(changes, expected):
    assert needs_latency(load(ONE_TRIAL | changes)) is expected


@pytest.mark.parametrize("params", [{}, {"nas.search_space": "c"}, {"nas.search_space": ["a"]}])
def test_suggestion_without_a_space_of_the_study_is_refused(params):
    with pytest.raises(InputError, match=r"^suggestion: nas.search_space is .*; expected one of a, b$"):
        space_of_trial({"choices": {"a": {}, "b": {}}}, params)
