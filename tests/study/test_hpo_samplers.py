"""Every sampler of the study: suggestions depend on seed, trial and observed results, and no point repeats."""

import json

import pytest
from nasmake.config.study import Optimize
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.study.parameter_space import count, is_sampled, point_at
from nasmake.study.suggest import suggest
from pydantic import ValidationError
from scipy.stats.qmc import Sobol
from small_results import replay

STEPS = [
    {"name": "momentum", "type": "uniform_float", "lower": 0.1, "upper": 0.9, "step": 0.2, "initial": 0.3},
    {"name": "lam", "type": "uniform_int", "lower": 2, "upper": 9, "step": 3},
    {"name": "initial_lr", "type": "uniform_float", "lower": 0.001, "upper": 1.0, "log": True},
]
CHOICES = {"name": "optimizer", "type": "categorical", "choices": ["MomentumSGD", "Adam"]}
SPACES = {
    "TpeOptimizer": [*STEPS, CHOICES],
    "RandomOptimizer": [*STEPS, CHOICES],
    "SobolOptimizer": [*STEPS, CHOICES],
    "GridOptimizer": [*STEPS[:2], CHOICES],
    "NelderMeadOptimizer": STEPS,
}
every_sampler = pytest.mark.parametrize("sampler", SPACES)


def study(sampler, **changes):
    settings = {"search_algorithm": sampler, "lag": 3, "n_startup_trials": 4, "trial_number": 20}
    return Optimize.model_validate(settings | {"parameters": SPACES[sampler]} | changes)


def objective(trial, point):
    if trial % 7 == 5:
        return {"trial": trial, "state": PRUNED, "value": None}
    return {
        "trial": trial,
        "state": COMPLETE,
        "value": 1 - abs(point.get("momentum", 0) - 0.5) - point.get("lam", 0) / 50,
    }


def points(settings, order=None):
    return [suggestion["params"] for suggestion in replay(settings, objective, order)]


@every_sampler
def test_replay_does_not_depend_on_when_results_arrive(sampler):
    reference = replay(study(sampler), objective)
    assert all(replay(study(sampler), objective, order) == reference for order in (1, 2, 3))


@every_sampler
def test_no_point_repeats(sampler):
    assert len({json.dumps(point, sort_keys=True) for point in points(study(sampler))}) == 20


@every_sampler
@pytest.mark.parametrize("prefix", ["", "aiaccel.optimizer."])
def test_names_with_and_without_package_are_one(sampler, prefix):
    settings = study(sampler, trial_number=3)
    renamed = settings.model_copy(update={"search_algorithm": prefix + sampler})
    assert points(Optimize.model_validate(renamed.model_dump())) == points(settings)


@every_sampler
def test_seed_decides_and_extension_leaves_the_first_trials(sampler):
    assert points(study(sampler, rand_seed=1, trial_number=6)) != points(study(sampler, trial_number=6))
    assert points(study(sampler))[:6] == points(study(sampler, trial_number=6))


@every_sampler
def test_steps_are_kept_to_the_last_digit(sampler):
    for point in points(study(sampler)):
        assert point["momentum"] in (0.1, 0.3, 0.5, 0.7, 0.9)
        assert point["lam"] in (2, 5, 8) and type(point["lam"]) is int


@every_sampler
def test_lists_of_initial_values_are_the_first_trials(sampler):
    first, *others = SPACES[sampler]
    lam = others[0] | {"initial": [8, None, 2]}
    sampled = points(study(sampler, parameters=[first | {"initial": [0.9, 0.7]}, lam, *others[1:]], trial_number=4))
    assert [point["momentum"] for point in sampled[:2]] == [0.9, 0.7]
    assert (sampled[0]["lam"], sampled[2]["lam"]) == (8, 2)


@every_sampler
def test_a_small_space_is_used_up_before_a_point_repeats(sampler):
    lam = STEPS[1] | {"upper": 20}
    sampled = points(study(sampler, parameters=[lam], trial_number=7))
    assert sorted(point["lam"] for point in sampled) == [2, 5, 8, 11, 14, 17, 20]


def test_sobol_takes_the_point_of_the_trials_number():
    unit = {"type": "uniform_float", "lower": 0, "upper": 1}
    parameters = [{"name": "momentum", "initial": 0.5} | unit, {"name": "beta1", "initial": 0.5} | unit]
    sampled = points(study("SobolOptimizer", parameters=parameters, rand_seed=7))
    expected = Sobol(2, rng=7).random(32)[:20].tolist()
    assert [[point["momentum"], point["beta1"]] for point in sampled[1:]] == expected[1:]
    assert sampled[0] == {"momentum": 0.5, "beta1": 0.5}


def test_tpe_starts_with_one_more_sobol_point_than_there_are_hyperparameters():
    def first(**changes):
        return points(study("TpeOptimizer", n_startup_trials=None, parameters=STEPS, lag=1, trial_number=7, **changes))

    expected, found = points(study("SobolOptimizer", parameters=STEPS, lag=1, trial_number=7)), first()
    assert found[:4] == expected[:4] and found[4] != expected[4]
    assert first(startup_sampler="random")[1] != found[1]


def test_grid_visits_every_point_once():
    settings = study("GridOptimizer", trial_number=30)
    sampled = {json.dumps(point, sort_keys=True) for point in points(settings)}
    assert count(settings.parameters) == 30 == len(sampled)


def test_nelder_mead_climbs():
    parameters = [
        {"name": name, "type": "uniform_float", "lower": 0, "upper": 1} for name in ("momentum", "beta1", "beta2")
    ]
    settings = study("NelderMeadOptimizer", parameters=parameters, lag=1)
    suggestions, values = [suggest(settings, [], None)], []
    for trial in range(60):
        values.append(-sum((value - 0.3) ** 2 for value in suggestions[-1]["params"].values()))
        observed = {"trial": trial, "state": COMPLETE, "value": values[-1]}
        suggestions.append(suggest(settings, suggestions, observed))
    assert max(values) > -1e-3 and sum(values[-20:]) > sum(values[:20]) / 10


@pytest.mark.parametrize(
    "sampler, parameter, reason",
    [
        ("GridOptimizer", STEPS[2], "initial_lr needs a step"),
        ("NelderMeadOptimizer", CHOICES, "take TpeOptimizer, RandomOptimizer, SobolOptimizer or GridOptimizer"),
    ],
)
def test_sampler_that_cannot_take_a_parameter_is_refused(sampler, parameter, reason):
    with pytest.raises(ValidationError, match=reason):
        study(sampler, parameters=[parameter])


# Conditions.

CONDITIONAL = [
    CHOICES,
    STEPS[0] | {"when": {"optimizer": "MomentumSGD"}},
    STEPS[1],
    STEPS[2] | {"when": {"momentum": [0.1, 0.3], "lam": [2, 8]}},
]


@pytest.mark.parametrize("sampler", ["TpeOptimizer", "RandomOptimizer", "SobolOptimizer"])
def test_a_parameter_is_sampled_where_its_conditions_hold_and_nowhere_else(sampler):
    settings = study(sampler, parameters=CONDITIONAL, trial_number=60)
    sampled = points(settings)
    for point in sampled:
        assert all((parameter.name in point) == is_sampled(parameter, point) for parameter in settings.parameters)
    assert {len(point) for point in sampled} == {2, 3, 4}
    assert points(settings, 1) == sampled


def test_grid_counts_conditional_points_once():
    last = {"name": "eps", "type": "categorical", "choices": [1, 2, 3], "when": {"lam": 5, "optimizer": ["Adam"]}}
    settings = study("GridOptimizer", parameters=[*CONDITIONAL[:3], last], trial_number=20)
    # MomentumSGD: 5 momenta x 3 lam; Adam: lam 2 and 8, or lam 5 with 3 eps
    assert count(settings.parameters) == 15 + 2 + 3
    sampled = [point_at(settings.parameters, index) for index in range(20)]
    assert len({json.dumps(point, sort_keys=True) for point in sampled}) == 20
    assert sorted(map(str, points(settings))) != [] and len({str(sorted(p.items())) for p in points(settings)}) == 20
