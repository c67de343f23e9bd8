"""What every search space must satisfy. A new space file in config/search_spaces is tested without further work."""

import json
from random import Random

import pytest
import torch
from nasmake.cost import CostTable, count_macs, count_parameters
from nasmake.networks import Network
from nasmake.search_spaces import Architecture
from nasmake.supernet import Supernet, recalibrate_batchnorm
from small_spaces import SHIPPED, shipped
from torch.utils.flop_counter import FlopCounterMode

torch.set_num_threads(1)
SIZE = 32
every_space = pytest.mark.parametrize("space", [shipped(name) for name in SHIPPED], ids=SHIPPED)


def vectors(space, count):
    rng = Random(0)
    return [(0,) * len(space.decisions), *(space.sample(rng) for _ in range(count))]


def measured(network, in_channels=3, size=SIZE):
    """Parameters and MACs as torch counts them."""
    counter = FlopCounterMode(display=False)
    device = next(network.parameters()).device
    with counter, torch.no_grad():
        network.eval()(torch.empty(1, in_channels, size, size, device=device))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2


@every_space
def test_vectors_of_one_network_have_one_canonical_form(space):
    for vector in vectors(space, 100):
        space.check(vector)
        canonical = space.canonical(vector)
        assert space.canonical(canonical) == canonical
        assert space.decode(canonical) == space.decode(vector)
        assert space.encode(space.decode(canonical)) == canonical
        for place, index in enumerate(canonical):  # no smaller index in any place gives the same network
            if index:
                assert space.decode((*canonical[:place], 0, *canonical[place + 1 :])) != space.decode(canonical)


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
    assert [set(own) for own in drawn] == [set(range(len(decision.choices))) for decision in space.decisions]


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
        costs = (table.parameters(vector), table.macs(vector))
        assert costs == measured(network) == (count_parameters(spec, 3), count_macs(spec, 3, SIZE))


@every_space
def test_cheapest_network(space):
    table = CostTable(space, 3, SIZE)
    rng = Random(0)
    sampled = [space.sample(rng) for _ in range(2000)]
    for metric, cost in [("parameters", table.parameters), ("macs", table.macs)]:
        cheapest = table.cheapest(metric)
        space.check(cheapest)
        assert cheapest == space.canonical(cheapest)
        assert cost(cheapest) <= min(map(cost, sampled))


@every_space
def test_active_subnet_is_the_stand_alone_network(space):
    torch.manual_seed(0)
    supernet = Supernet(space, 3)
    batches = [torch.randn(8, 3, SIZE, SIZE) for _ in range(2)]
    for vector in vectors(space, 4):
        supernet.set_active_subnet(vector)
        recalibrate_batchnorm(supernet, batches)
        network = supernet.get_active_subnet()
        with torch.no_grad():
            logits = supernet(batches[0])
            torch.testing.assert_close(logits, network(batches[0]), rtol=0, atol=1e-5)
        assert logits.std() > 1e-3  # without statistics all logits are tiny, and anything is equal
        assert measured(supernet)[1] == measured(network)[1] == count_macs(supernet.spec, 3, SIZE)
        assert measured(network)[0] == count_parameters(supernet.spec, 3)
