"""Requirements of every search space. These tests include each new space file in config/search_spaces by themselves.

A space with operations that a user wrote in Python is among them: that of config/guides/own_operations.md.
"""

import json
from random import Random

import pytest
import torch
from hypothesis import given, settings
from nasmake.costs.table import CostTable, count_macs, count_parameters
from nasmake.models.batchnorm import recalibrate_batchnorm
from nasmake.models.network import Network
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Architecture
from own_operations import space_of_the_guide
from small_spaces import SHIPPED, made_up, shipped
from subnets import gradients, measured
from torch.nn.functional import cross_entropy

SIZE = 32
SPACES = {name: shipped(name) for name in SHIPPED} | {"own_operations": space_of_the_guide()}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def vectors(space, count):
    rng = Random(0)
    return [(0,) * len(space.decisions), *(space.sample(rng) for _ in range(count))]


@every_space
def test_vectors_of_one_network_have_one_canonical_form(space):
    for vector in vectors(space, 100):
        space.check(vector)
        canonical = space.canonical(vector)
        assert space.canonical(canonical) == canonical
        assert space.decode(canonical) == space.decode(vector)
        assert space.encode(space.decode(canonical)) == canonical
        for position, index in enumerate(canonical):  # an index of 0 in any other position gives another network
            if index:
                assert space.decode((*canonical[:position], 0, *canonical[position + 1 :])) != space.decode(canonical)


@every_space
def test_variation_stays_in_the_space_and_follows_the_seed(space):
    def descend(seed):
        rng = Random(seed)
        first, second = space.sample(rng), space.sample(rng)
        return [(first, second)[rng.random() < 0.5] for _ in range(3)] + [
            space.mutate(space.crossover(first, second, rng), rng, 0.3) for _ in range(50)
        ]

    assert descend(1) == descend(1) != descend(2)
    for vector in descend(1):
        space.check(vector)


@every_space
def test_sampling_reaches_every_choice(space):
    rng = Random(0)
    drawn = zip(*(space.sample(rng) for _ in range(300)), strict=True)
    assert [set(indices) for indices in drawn] == [set(range(len(decision.choices))) for decision in space.decisions]


@every_space
def test_architecture_files(space):
    architecture = Architecture.from_decisions(space.sample(Random(0)), space)
    again = Architecture.from_json(json.loads(json.dumps(architecture.to_json())), "architecture.json")
    assert again == architecture
    again.check_member(space, "architecture.json")
    assert space.encode(again.spec) == space.canonical(architecture.decisions)


@every_space
def test_costs_are_those_of_the_modules(space):
    table = CostTable(space, 3, SIZE)
    for vector in vectors(space, 8):
        spec = space.decode(vector)
        with torch.device("meta"):
            network = Network(spec, 3)
        costs = tuple(table.of(vector)[metric] for metric in ("parameters", "macs"))
        assert costs == measured(network) == (count_parameters(spec, 3), count_macs(spec, 3, SIZE))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(space=made_up())
def test_costs_of_made_up_spaces_are_those_of_the_modules_and_of_the_active_path(space):
    size = 9
    table, supernet = CostTable(space, 1, size), Supernet(space, 1)
    for vector in vectors(space, 3):
        supernet.set_active_subnet(vector)
        costs = tuple(table.of(vector)[metric] for metric in ("parameters", "macs"))
        assert costs == measured(supernet.get_active_subnet(), 1, size)
        assert costs[1] == measured(supernet, 1, size)[1]


@every_space
def test_cheapest_network(space):
    table = CostTable(space, 3, SIZE)
    rng = Random(0)
    sampled = [space.sample(rng) for _ in range(2000)]
    for metric in table.metrics:
        cheapest = table.cheapest(metric)
        space.check(cheapest)
        assert cheapest == space.canonical(cheapest)
        assert table.of(cheapest)[metric] <= min(table.of(vector)[metric] for vector in sampled)


def compare_with_the_stand_alone_network(space, count, size):
    """Compare logits, gradients and executed MACs after recalibration, in evaluation mode."""
    torch.manual_seed(0)
    supernet = Supernet(space, 3)
    batches = [torch.randn(8, 3, size, size) for _ in range(2)]
    labels = torch.arange(8) % space.num_classes
    for vector in vectors(space, count - 1):
        supernet.set_active_subnet(vector)
        recalibrate_batchnorm(supernet, batches)
        supernet.zero_grad()
        network = supernet.get_active_subnet()
        ours, theirs = supernet(batches[0]), network(batches[0])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        assert ours.std() > 1e-3  # with fresh statistics all logits would be tiny, and so equal
        cross_entropy(ours, labels).backward()
        cross_entropy(theirs, labels).backward()
        for name, gradient in gradients(supernet).items():
            torch.testing.assert_close(gradient, network.get_parameter(name).grad, rtol=0, atol=1e-4, msg=name)
        parameters, macs = measured(network, 3, size)
        assert macs == measured(supernet, 3, size)[1] == count_macs(supernet.spec, 3, size)
        assert parameters == count_parameters(supernet.spec, 3)


@every_space
def test_active_subnet_is_the_stand_alone_network(space):
    compare_with_the_stand_alone_network(space, 4, SIZE)


@pytest.mark.slow
@every_space
def test_twenty_active_subnets_are_the_stand_alone_networks(space):
    compare_with_the_stand_alone_network(space, 20, SIZE // 2)
