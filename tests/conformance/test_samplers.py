"""What every sampler of paths must satisfy. A new entry of SAMPLERS is tested without further work."""

from collections import Counter
from random import Random
from typing import get_args

import pytest
from nasmake.config import Supernet
from nasmake.samplers import SAMPLERS
from small_spaces import build, shipped, small

every_sampler = pytest.mark.parametrize("name", SAMPLERS)
SPACES = {"proxyless": shipped("proxyless_imagenet"), "mnasnet": build(small())}
every_space = pytest.mark.parametrize("space", SPACES)


def test_configuration_offers_all_of_them():
    assert set(get_args(Supernet.model_fields["sampler"].annotation)) == SAMPLERS.keys()


@every_sampler
@every_space
@pytest.mark.parametrize("count", [1, 4, 64])
def test_gives_as_many_valid_paths_as_asked_for(name, space, count):
    paths = SAMPLERS[name](SPACES[space], Random(0), count)
    assert len(paths) == count
    for path in paths:
        assert isinstance(path, tuple)
        SPACES[space].check(path)


@every_sampler
@every_space
def test_generator_decides(name, space):
    def draw(seed):
        return SAMPLERS[name](SPACES[space], Random(seed), 8)

    assert draw(0) == draw(0) != draw(1)


@every_sampler
@every_space
def test_keeps_no_state_between_steps(name, space):
    alone = SAMPLERS[name](SPACES[space], Random("step 7"), 4)
    for step in range(7):
        SAMPLERS[name](SPACES[space], Random(step), 4)
    assert SAMPLERS[name](SPACES[space], Random("step 7"), 4) == alone


@every_sampler
@every_space
def test_every_choice_of_every_decision_is_trained(name, space):
    own, rng = SPACES[space], Random(0)
    paths = [path for _ in range(300) for path in SAMPLERS[name](own, rng, 4)]
    for place, decision in enumerate(own.decisions):
        assert {path[place] for path in paths} == set(range(len(decision.choices)))


@every_space
def test_uniform_is_uniform_over_each_decision(space):
    own, draws = SPACES[space], 4000
    paths = SAMPLERS["uniform"](own, Random(0), draws)
    for place, decision in enumerate(own.decisions):
        expected = draws / len(decision.choices)
        counts = Counter(path[place] for path in paths)
        square = sum((counts[index] - expected) ** 2 / expected for index in range(len(decision.choices)))
        assert square < 3 * len(decision.choices) + 12  # chi squared, far beyond its mean of n - 1
