"""Which samplers and strategies go with which spaces and types."""

import pytest
import yaml
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.pipeline.checks import WITH_DISTRIBUTION, check
from nasmake.pipeline.inputs import read_search_space
from nasmake.strategies import STRATEGIES, strategy_of
from nasmake.strategies.distribution import Distribution
from small_spaces import content
from small_studies import error_of, in_an_empty_folder, start, study  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.mark.parametrize("searched", [False, True])
def test_asng_in_a_space_with_one_decision_is_refused_before_any_job(tmp_path, searched):
    mapping = content("proxyless_digits")
    for key in ("base_layer_num", "base_filter_size"):
        mapping["search_range"][key] = mapping["search_range"][key][:1]
    mapping["settings"]["strides"] = [1]
    (tmp_path / "config_one_digits.yaml").write_text(yaml.safe_dump(mapping))
    parameter = {"name": "search.algorithm", "type": "categorical", "choices": ["random", "asng"]}
    optimize = {"optimize": {"parameters": [parameter]}} if searched else {}
    nas = {"search_space": "one", "search_space_config_path": "."}
    text = error_of(study(nas=nas, search={"algorithm": "random" if searched else "asng"}, **optimize))
    assert text.startswith("search.algorithm is asng; expected evolution, random or reinforce, because asng needs two")
    assert text.endswith("config_one_digits.yaml has only block0")


ALGORITHMS = {"name": "search.algorithm", "type": "categorical", "choices": ["asng", "random"]}
SAMPLERS_TOO = {"name": "supernet.sampler", "type": "categorical", "choices": ["fair", "asng"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"supernet": {"sampler": "asng"}},
            "supernet.sampler is asng; expected uniform, fair or sandwich, or nas.type: simultaneous",
        ),
        (
            {"optimize": {"parameters": [SAMPLERS_TOO]}},
            "supernet.sampler is asng; expected uniform, fair or sandwich, or nas.type: simultaneous",
        ),
        (
            {"nas": {"type": "simultaneous"}, "search": {"algorithm": "evolution"}},
            "because evolution has no distribution",
        ),
        (
            {"nas": {"type": "simultaneous"}, "optimize": {"parameters": [ALGORITHMS]}},
            "because random has no distribution",
        ),
    ],
)
def test_sampler_or_strategy_that_the_type_does_not_allow(changes, message):
    assert message in error_of(study(**changes))


@pytest.mark.parametrize("sampler", PATH_SAMPLERS)
@pytest.mark.parametrize("algorithm", WITH_DISTRIBUTION)
def test_every_sampler_goes_with_every_strategy_that_has_a_distribution(sampler, algorithm):
    start(study(nas={"type": "simultaneous"}, supernet={"sampler": sampler}, search={"algorithm": algorithm}))


def test_strategies_with_a_distribution_are_those_of_that_class():
    assert {*WITH_DISTRIBUTION} == {name for name in STRATEGIES if issubclass(strategy_of(name), Distribution)}


@pytest.mark.parametrize("searched", [False, True])
def test_gates_over_several_decisions_per_block_are_refused_before_any_job(searched):
    parameter = {"name": "search.algorithm", "type": "categorical", "choices": ["random", "proxyless"]}
    optimize = {"optimize": {"trial_number": 2, "parameters": [parameter]}} if searched else {}
    search = {"algorithm": "random" if searched else "proxyless"}
    text = error_of(study(nas={"search_space": "mnasnet"}, search=search, **optimize))
    assert text.startswith("search.algorithm is proxyless; expected asng, reinforce or evolution, or a proxyless space")
    assert text.endswith("config_mnasnet_digits.yaml: every block has 7 decisions") and "\n" not in text


TARGET = {"name": "search.expected_cost.target", "type": "uniform_float", "lower": 3e5, "upper": 1e6}
LIMIT = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 500000, "upper": 900000}
LOSS = {"name": "search.expected_cost.loss", "type": "categorical", "choices": ["none", "linear"]}


@pytest.mark.parametrize(
    ("expected_cost", "constraint", "parameters", "refused"),
    [
        ({"loss": "linear"}, {}, [], True),
        ({"loss": "linear"}, {"parameters": 30000}, [], True),
        ({"loss": "linear"}, {"macs": 900000}, [], False),
        ({"loss": "linear", "target": 5e5}, {}, [], False),
        ({"loss": "linear"}, {}, [TARGET], False),
        ({"loss": "linear"}, {}, [LIMIT], False),
        ({}, {}, [LOSS], True),
        ({}, {}, [], False),
    ],
)
def test_expected_cost_without_a_target_is_refused_before_any_job(expected_cost, constraint, parameters, refused):
    search = {"algorithm": "proxyless", "expected_cost": expected_cost, "constraint": constraint}
    optimize = {"optimize": {"trial_number": 2, "parameters": parameters}} if parameters else {}
    config = study(search=search, **optimize)
    if not refused:
        return check(config, read_search_space(config))
    text = error_of(config)
    assert text == (
        "search.expected_cost.target is null; expected a number, or a limit in search.constraint.macs, "
        "for search.expected_cost.loss linear"
    )


def test_logarithm_of_a_target_that_is_too_small_is_refused_before_any_job():
    cost = {"loss": "power", "metric": "macs", "target": 1}
    text = error_of(study(search={"algorithm": "proxyless", "expected_cost": cost}))
    assert text.startswith("search.expected_cost.target is 1.0; expected more than 1, because")
