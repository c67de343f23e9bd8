"""costs/table.py: costs of published networks, extremes of spaces, and sums over profiled units."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasmake.core.errors import InputError
from nasmake.costs.table import METRICS, CostTable, count_macs, count_parameters
from nasmake.costs.units import units_of_network
from small_spaces import build, content, made_up, made_up_latency, shipped, small, table_with_latency


def mnasnet_block(space, index, **values):
    decisions = [decision for decision in space.decisions if decision.name.startswith(f"block{index}.")]
    fields = [decision.name.partition(".")[2] for decision in decisions]
    return tuple(
        [choice[field] for choice in decision.choices].index(values[field]) if field in values else 0
        for field, decision in zip(fields, decisions, strict=True)
    )


def mnasnet(space, *blocks):
    """Return the vector of blocks (op, kernel size, expansion ratio, channels, depth, SE ratio), all with skip."""
    fields = ("op", "kernel_size", "expand_ratio", "width", "depth", "se_ratio")
    values = [dict(zip(fields, block, strict=True)) | {"skip": True} for block in blocks]
    return sum((mnasnet_block(space, index, **block) for index, block in enumerate(values)), ())


def test_every_block_at_its_first_option():
    spec = shipped("proxyless_cifar10").decode((0,) * 16)
    assert (count_parameters(spec, 3), count_macs(spec, 3, 32)) == (793_490, 51_671_552)


def test_mobilenet_v2_is_a_member():
    space = shipped("mnasnet_imagenet")
    sizes = [(24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)]
    first = ("sepconv", 3, 3, 16, 1, 0)
    spec = space.decode(mnasnet(space, first, *[("mbconv", 3, 6, width, depth, 0) for width, depth in sizes]))
    assert (count_parameters(spec, 3), count_macs(spec, 3, 224)) == (3_504_872, 300_774_272)


def test_published_mnasnets_by_width_ratios_per_block():
    """MnasNet-B1 and -A1 (arXiv 1807.11626); B1 as torchvision counts its weights."""
    mapping = content("mnasnet_imagenet")
    mapping["search_range"]["filter_size_search_ratio"] = [[1.0]] * 2 + [[1.25]] * 2 + [[1.0, 7 / 6], [1.2, 1.0], [1.0]]
    space = build(mapping)
    b1 = mnasnet(
        space,
        ("sepconv", 3, 3, 16, 1, 0),
        ("mbconv", 3, 3, 24, 3, 0),
        ("mbconv", 5, 3, 40, 3, 0),
        ("mbconv", 5, 6, 80, 3, 0),
        ("mbconv", 3, 6, 96, 2, 0),
        ("mbconv", 5, 6, 192, 4, 0),
        ("mbconv", 3, 6, 320, 1, 0),
    )
    a1 = mnasnet(
        space,
        ("sepconv", 3, 3, 16, 1, 0),
        ("mbconv", 3, 6, 24, 2, 0),
        ("mbconv", 5, 3, 40, 3, 0.25),
        ("mbconv", 3, 6, 80, 4, 0),
        ("mbconv", 3, 6, 112, 2, 0.25),
        ("mbconv", 5, 6, 160, 3, 0.25),
        ("mbconv", 3, 6, 320, 1, 0),
    )
    costs = [(count_parameters(space.decode(v), 3), count_macs(space.decode(v), 3, 224)) for v in (b1, a1)]
    assert costs == [(4_383_312, 314_415_872), (3_887_038, 311_579_072)]


@pytest.mark.parametrize(
    ("widths", "ends", "blocks", "parameters", "macs"),
    [
        (
            (32, 40, 80, 96, 192, 320),
            (32, 16, 1280),
            "53 33 Z Z 73 33 53 53 76 53 53 53 56 53 53 53 76 76 73 73 76",
            4_080_512,
            320_427_584,
        ),
        (
            (32, 56, 112, 128, 256, 432),
            (40, 24, 1728),
            "53 Z Z Z 73 Z Z 33 76 Z Z 53 56 Z 33 53 76 76 76 56 76",
            7_119_848,
            465_260_160,
        ),
    ],
    ids=["mobile", "gpu"],
)
def test_published_proxylessnas(widths, ends, blocks, parameters, macs):
    """ProxylessNAS (arXiv 1812.00332): kernel size and expansion ratio per block, with the widths of each network."""
    mapping = content("proxyless_imagenet")
    mapping["search_range"]["base_filter_size"] = [width for width in widths[:-1] for _ in range(4)] + [widths[-1]]
    names = ("first_conv_filter_size", "first_mbconv_filter_size", "last_ch")
    mapping["settings"] |= dict(zip(names, ends, strict=True))
    space = build(mapping)
    wanted = [
        "op=zero" if block == "Z" else f"op=mbconv kernel_size={block[0]} expand_ratio={block[1]}"
        for block in blocks.split()
    ]
    pairs = zip(space.decisions, wanted, strict=True)
    spec = space.decode(tuple(decision.options.index(option) for decision, option in pairs))
    assert (count_parameters(spec, 3), count_macs(spec, 3, 224)) == (parameters, macs)


WIDTHS_THAT_INTERACT = {"base_layer_num": [1, 1, 1], "kernel_size": [3], "se_ratio": [0.25], "layer_search_range": [0]}
SMALL_SPACES = {
    "mnasnet": small(**WIDTHS_THAT_INTERACT),
    "joint": small(**WIDTHS_THAT_INTERACT, first_mbconv_filter_size=8),
    "strided": small(**WIDTHS_THAT_INTERACT, strides=[2, 1, 2], base_filter_size=[8, 12, 6]),
    "proxyless_digits": content("proxyless_digits"),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", SMALL_SPACES)
def test_cheapest_and_costliest_are_exact(name, metric):
    """Against every vector of the space; of equal ones, the first and the last canonical vector."""
    space = build(SMALL_SPACES[name])
    table = table_with_latency(space, 1, 9)
    vectors = product(*(range(len(decision.choices)) for decision in space.decisions))
    costs = {vector: table.of(vector)[metric] for vector in vectors}
    for decisions, choose in ((table.cheapest(metric), min), (table.costliest(metric), max)):
        extreme = choose(costs.values())
        assert decisions == choose(space.canonical(vector) for vector, cost in costs.items() if cost == extreme)


@settings(deadline=None)
@given(space=made_up(), seed=st.integers(0, 2**32 - 1), size=st.integers(1, 20))
def test_costs_by_look_up_are_sums_over_the_units(space, seed, size):
    latency, decisions = made_up_latency(space, 3, size), space.sample(Random(seed))
    table, spec = CostTable(space, 3, size, latency), space.decode(decisions)
    expected = {
        "macs": count_macs(spec, 3, size),
        "parameters": count_parameters(spec, 3),
        "latency_ms": sum(latency[unit.key] for unit in units_of_network(spec, 3, size)) / 10**6,
    }
    assert table.of(decisions) == expected and table.macs(decisions) == expected["macs"]


def test_latency_needs_a_table():
    space = shipped("proxyless_digits")
    table, decisions = CostTable(space, 1, 8), (0,) * 6
    assert table.of(decisions).keys() == {"macs", "parameters"} == {*table.metrics}
    for ask in (lambda: table.require(METRICS), lambda: table.cheapest("latency_ms")):
        with pytest.raises(InputError, match=r"latency_ms: no latency table was given; .* snakemake measure_latency"):
            ask()


def test_odd_sizes_are_rounded_up():
    space = build(small())
    spec = space.decode((0,) * 21)
    assert [count_macs(spec, 1, size) for size in (9, 1)] == [
        CostTable(space, 1, size).macs((0,) * 21) for size in (9, 1)
    ]
    assert count_macs(spec, 1, 9) == count_macs(spec, 1, 10) > count_macs(spec, 1, 8)
