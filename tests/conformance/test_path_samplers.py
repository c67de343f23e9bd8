"""Tests of every path sampler. A new entry of PATH_SAMPLERS is tested without further work.

Draws from a distribution (module asng) are tested in tests/stages/test_search_supernet.py.
"""

from collections import Counter
from functools import cache
from random import Random
from typing import get_args

import pytest
from nasmake.config.supernet import Supernet
from nasmake.core.declared import UndeclaredKeyError
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable
from nasmake.path_samplers import PATH_SAMPLERS, make_path_sampler
from small_spaces import SHIPPED, build, shipped, small

MADE_UP = "made_up"
every_sampler = pytest.mark.parametrize("name", PATH_SAMPLERS)
every_space = pytest.mark.parametrize("space", [*SHIPPED, MADE_UP])


def space_called(name):
    return build(small(), MADE_UP) if name == MADE_UP else shipped(name)


@cache
def sampler(name, space, paths_per_step=1):
    return make_path_sampler(costs_of(space), Supernet(sampler=name, paths_per_step=paths_per_step))


@cache
def costs_of(space):
    return CostTable(space_called(space), 3, 32)


def options(space):
    return [len(decision.choices) for decision in space_called(space).decisions]


def counts(paths, position, number):
    """Return how often the paths take each option of the decision at `position`."""
    taken = Counter(path[position] for path in paths)
    return [taken[option] for option in range(number)]


def test_configuration_offers_all_of_them():
    offered, none = get_args(Supernet.model_fields["sampler"].annotation)
    assert set(get_args(offered)) == PATH_SAMPLERS.keys() and none is type(None)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in PATH_SAMPLERS for key in PATH_SAMPLERS[name].reads])
def test_sampler_reads_each_key_that_it_declares(name, key, monkeypatch):
    entry = PATH_SAMPLERS[name]
    reads = tuple(declared for declared in entry.reads if declared != key)
    monkeypatch.setitem(PATH_SAMPLERS, name, entry._replace(reads=reads))
    fresh = make_path_sampler(costs_of(MADE_UP), Supernet(sampler=name))
    with pytest.raises(UndeclaredKeyError, match=f"path sampler {name} reads {key}, which it does not declare"):
        fresh.draw(Random(0))


@every_sampler
@every_space
def test_gives_valid_paths_and_the_same_number_in_every_step(name, space):
    steps = [sampler(name, space).draw(Random(step)) for step in range(20)]
    assert len({len(paths) for paths in steps}) == 1 <= len(steps[0])
    for path in (path for paths in steps for path in paths):
        assert isinstance(path, tuple)
        space_called(space).check(path)


@every_space
@pytest.mark.parametrize("paths_per_step", [1, 2, 3, 4, 8, 64])
def test_number_of_paths(space, paths_per_step):
    numbers = {name: len(sampler(name, space, paths_per_step).draw(Random(0))) for name in PATH_SAMPLERS}
    sandwich = 4 if paths_per_step < 3 else paths_per_step
    given = {"uniform": paths_per_step, "asng": paths_per_step}
    expected = given | {"fair": max(options(space)), "sandwich": sandwich}
    assert {name: numbers[name] for name in expected} == expected


@every_sampler
@every_space
def test_seed_stage_epoch_and_step_decide(name, space):
    """A new sampler that starts with a later step draws the same paths as a sampler that took all steps."""
    seed_keys = [(42, "train_supernet", "paths", epoch, step) for epoch in range(3) for step in range(4)]
    all_at_once = [sampler(name, space).draw(python_random(*seed_key)) for seed_key in seed_keys]
    fresh = make_path_sampler(costs_of(space), Supernet(sampler=name))
    assert [fresh.draw(python_random(*seed_key)) for seed_key in seed_keys[7:]] == all_at_once[7:]
    assert len({tuple(paths) for paths in all_at_once}) > 1
    assert fresh.draw(python_random(7, *seed_keys[0][1:])) != all_at_once[0]


@every_sampler
@every_space
def test_every_choice_of_every_decision_is_trained(name, space):
    rng = Random(0)
    paths = [path for _ in range(300) for path in sampler(name, space).draw(rng)]
    for position, number in enumerate(options(space)):
        assert min(counts(paths, position, number)) > 0


@every_space
def test_uniform_is_uniform_over_each_decision(space):
    rng = Random(0)
    paths = [path for _ in range(100) for path in sampler("uniform", space, 40).draw(rng)]
    for position, number in enumerate(options(space)):
        expected = len(paths) / number
        square = sum((count - expected) ** 2 / expected for count in counts(paths, position, number))
        assert square < 3 * number + 12  # chi squared, far beyond its mean of n - 1


# Strict fairness.


@every_space
def test_fair_step_takes_every_option_equally_often_or_once_more(space):
    most = max(options(space))
    for step in range(50):
        paths = sampler("fair", space).draw(Random(step))
        for position, number in enumerate(options(space)):
            less, more = most // number, most % number  # every option `less` times, `more` of them once more
            assert sorted(counts(paths, position, number)) == [less] * (number - more) + [less + 1] * more


@every_space
def test_fair_over_many_steps_is_exact_for_largest_decisions_and_fair_in_the_mean_for_others(space):
    most, steps, rng = max(options(space)), 420, Random(0)
    paths = [path for _ in range(steps) for path in sampler("fair", space).draw(rng)]
    for position, number in enumerate(options(space)):
        taken, expected = counts(paths, position, number), steps * most / number
        assert sum(taken) == steps * most
        share = (most % number) / number  # of steps in which an option is taken once more
        assert all(abs(count - expected) <= 4.5 * (steps * share * (1 - share)) ** 0.5 for count in taken)


def test_fair_permutations_of_decisions_are_independent():
    """Otherwise training would see only as many networks as there are options."""
    rng = Random(0)
    paths = [path for _ in range(1000) for path in sampler("fair", "proxyless_digits").draw(rng)]
    pairs = Counter((path[1], path[3]) for path in paths)  # the two decisions of 7 options
    assert len(pairs) == 49
    assert sum((count - 1000 / 7) ** 2 / (1000 / 7) for count in pairs.values()) < 90  # chi squared, 36 degrees


# The sandwich rule.


@every_space
@pytest.mark.parametrize("paths_per_step", [1, 3, 6])
def test_sandwich_has_the_largest_first_and_the_smallest_in_every_step(space, paths_per_step):
    costs, rng = costs_of(space), Random(1)
    known = [costs.macs(space_called(space).sample(rng)) for _ in range(500)]
    between = set()
    for step in range(30):
        largest, smallest, *others = sampler("sandwich", space, paths_per_step).draw(Random(step))
        assert (largest, smallest) == (costs.costliest("macs"), costs.cheapest("macs"))
        drawn = list(map(costs.macs, others))
        assert costs.macs(smallest) <= min(known + drawn) and max(known + drawn) <= costs.macs(largest)
        between |= set(others)
    assert len(between) > 20  # drawn anew in every step


def test_of_the_published_samplers_only_the_sandwich_distils():
    distils = {name: PATH_SAMPLERS[name].sampler.distils for name in ("uniform", "fair", "sandwich", "asng")}
    assert distils == {"uniform": False, "fair": False, "sandwich": True, "asng": False}
