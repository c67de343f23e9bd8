"""search_spaces/space.py and search_spaces/blocks.py: sizes, decisions, hashes and the two directions of coding."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from nasmake.core.errors import InputError
from nasmake.search_spaces import NetworkSpec
from small_spaces import SHIPPED, build, content, made_up, shipped, small

SIZES = {
    "proxyless_cifar10": 13_179_165_217_344,
    "proxyless_imagenet": 221_502_229_807_900_608,
    "mnasnet_cifar10": 73_040_694_872_113_152,
    "mnasnet_imagenet": 73_040_694_872_113_152,
    "proxyless_digits": 6 * 7 * 6 * 7 * 6 * 7,
}

HASHES = {  # artefacts hold them, so they must not change while the meaning of decisions stays
    "mnasnet_cifar10": "d5d74f9280cf7efb",
    "mnasnet_cifar100": "d5d74f9280cf7efb",
    "mnasnet_digits": "4c3a5955195d03ed",
    "mnasnet_imagenet": "16ab50792aaa4308",
    "mobilenetv3_cifar10": "d9c1b84ab3ea68bc",
    "mobilenetv3_fashion_mnist": "cafd2ea5bb2f2be6",
    "ofa_mbv3_imagenet": "2c4c6f8b243b7d94",
    "proxyless_cifar10": "f062fe4823e69c30",
    "proxyless_cifar100": "f062fe4823e69c30",
    "proxyless_digits": "a3c1314a3f3feaee",
    "proxyless_fashion_mnist": "df0cd4da9c72d905",
    "proxyless_imagenet": "99dc99a52588ea2d",
}


def structure(spec: NetworkSpec) -> tuple:
    """Return what the network computes, without the comparison of layers that the space relies on."""
    return tuple(tuple((layer.convolutions, layer.residual) for layer in block) for block in spec.blocks)


@pytest.mark.parametrize("name", SIZES)
def test_size_counts_the_decision_vectors(name):
    assert shipped(name).size == SIZES[name]


def test_networks_of_the_mnasnet_space():
    assert shipped("mnasnet_imagenet").num_networks == 34_237_825_721_303_040


def test_choices_per_block_of_the_proxyless_spaces():
    counts = [len(decision.choices) for decision in shipped("proxyless_cifar10").decisions]
    assert counts == [6, 7, 6, 7, 7, 6, 7, 7, 7, 6, 7, 7, 6, 7, 7, 6]
    assert len(shipped("proxyless_imagenet").decisions) == 21
    assert sum(len(decision.choices) for decision in shipped("proxyless_imagenet").decisions) == 141


def test_index_rule_of_the_proxyless_spaces():
    space = shipped("proxyless_cifar10")
    kernels_and_ratios = list(product((3, 5, 7), (3, 6)))
    for index, expected in enumerate(kernels_and_ratios):
        decisions = (index, index + 1, *[0] * 14)  # block 1 may vanish, block 0 may not
        (first,), (second,) = space.decode(decisions).blocks[1:3]
        assert (first.kernel_size, first.expand_ratio) == expected
        assert (second.kernel_size, second.expand_ratio) == expected
    assert space.decode((0,) * 16).blocks[2] == ()
    assert space.decisions[1].options[:2] == ("op=zero", "op=mbconv kernel_size=3 expand_ratio=3")


def test_order_of_the_mnasnet_decisions():
    space = shipped("mnasnet_imagenet")
    names = [decision.name for decision in space.decisions[7:14]]
    fields = ["depth", "width", "kernel_size", "op", "skip", "se_ratio", "expand_ratio"]
    assert names == [f"block1.{field}" for field in fields]
    assert [decision.options for decision in space.decisions[:2]] == [
        ("depth=1", "depth=2"),
        ("width=12", "width=16", "width=20"),
    ]
    block = space.decode((0,) * 7 + (2, 1, 1, 2, 1, 1, 1) + (0,) * 35).blocks[1]
    assert [(layer.in_channels, layer.stride, layer.residual, layer.se_channels) for layer in block] == [
        (12, 2, False, 3),
        (24, 1, True, 6),
        (24, 1, True, 6),
    ]
    assert {(layer.op, layer.kernel_size, layer.expand_ratio, layer.out_channels) for layer in block} == {
        ("mbconv", 5, 6, 24)
    }


@pytest.mark.parametrize("changes", [{}, {"first_mbconv_filter_size": 8}])
def test_small_space_exhaustively(changes):
    space = build(small(base_layer_num=[1, 1, 1], kernel_size=[3], layer_search_range=[0], **changes))
    vectors = list(product(*(range(len(decision.choices)) for decision in space.decisions)))[::7]
    canonical = {vector: space.canonical(vector) for vector in vectors}
    networks = {vector: structure(space.decode(vector)) for vector in vectors}
    assert all(canonical[vector] <= vector for vector in vectors)
    assert len(set(canonical.values())) == len(set(networks.values()))
    assert len(set(zip(canonical.values(), networks.values(), strict=True))) == len(set(networks.values()))


def test_zero_block_passes_its_channels_on():
    space = build(small())
    for vector in (space.sample(Random(seed)) for seed in range(200)):
        channels = 8
        for layer in (layer for block in space.decode(vector).blocks for layer in block):
            assert layer.in_channels == channels
            channels = layer.out_channels
        assert space.decode(vector).head.in_channels == channels


@settings(max_examples=60, deadline=None, derandomize=True)
@given(space=made_up())
def test_made_up_spaces(space):
    rng = Random(0)
    seen = {}
    for _ in range(30):
        vector = space.mutate(space.sample(rng), rng, 0.5)
        space.check(vector)
        canonical = space.canonical(vector)
        space.check(canonical)
        assert space.canonical(canonical) == canonical
        assert space.encode(space.decode(canonical)) == canonical
        assert structure(space.decode(canonical)) == structure(space.decode(vector))
        assert seen.setdefault(structure(space.decode(vector)), canonical) == canonical


def test_size_of_a_joint_space_with_further_choices():
    changes = {"first_mbconv_filter_size": 8, "conv_ops": ["Zero", "Conv", "MBConv"], "base_layer_num": [1, 1, 1]}
    space = build(small(layer_search_range=[0], **changes))
    choices = 2 * 2 * 2 * 2 * (2 + 1)  # kernel, channels, skip, SE; MBConv with two expansion ratios, Conv
    assert space.size == choices * (choices + 1) * choices
    assert len(space.decisions) == 3


def test_hashes_of_the_shipped_spaces_stay():
    assert {name: shipped(name).hash for name in SHIPPED} == HASHES


def test_hash_is_of_the_meaning():
    space = build(small())
    assert build(small(), "another").hash == space.hash
    assert build(small(dropout=0.2, first_conv_stride=2, input_size=32)).hash == space.hash
    assert build(small(kernel_size=[[3, 5]] * 3)).hash == space.hash
    assert build(small(class_num=6)).hash == space.hash  # the number of classes is the data set's
    assert build(small(kernel_size=[5, 3])).hash != space.hash
    assert build(small(dropout=0)).hash != space.hash


def test_settings_reach_the_network():
    spec = build(small(first_conv_stride=1, dropout=0, input_size=20)).decode((0,) * 21)
    assert (spec.stem_channels, spec.stem_stride, spec.head_channels, spec.num_classes, spec.dropout) == (
        8,
        1,
        16,
        5,
        0.0,
    )
    assert build(small(input_size=20)).input_size == 20
    assert build(small()).input_size is None
    assert build(content("proxyless_digits")).decode((0,) * 6).stem_stride == 1


def test_mutation_probability():
    space, rng = shipped("mnasnet_cifar10"), Random(0)
    vector = space.sample(rng)
    assert space.mutate(vector, rng, 0.0) == vector
    changed = space.mutate(vector, rng, 1.0)
    assert all(old != new for old, new in zip(vector, changed, strict=True))


@pytest.mark.parametrize("is_swapped", [False, True])
def test_crossover_takes_a_choice_without_effect_from_the_other_parent(is_swapped):
    """A block of conv has no use for an expansion ratio."""
    space, rng = shipped("mnasnet_cifar10"), Random(0)
    names = [decision.name for decision in space.decisions]
    op, ratio = names.index("block2.op"), names.index("block2.expand_ratio")
    conv, mbconv = ([*space.sample(rng)] for _ in range(2))
    conv[op], conv[ratio] = 0, 0
    mbconv[op], mbconv[ratio] = 2, 1
    parents = (tuple(mbconv), tuple(conv)) if is_swapped else (tuple(conv), tuple(mbconv))
    children = [space.crossover(*parents, rng) for _ in range(30)]
    assert {child[ratio] for child in children} == {1}
    assert {child[op] for child in children} == {0, 2}


def test_parse_takes_one_list_per_block():
    space = build(small())
    vector = space.sample(Random(0))
    assert space.parse(list(vector)) == vector
    assert space.parse([list(vector[start : start + 7]) for start in (0, 7, 14)]) == vector


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([0] * 5, "made_up.yaml: number of decisions is 5; expected 21, 7 for each of 3 blocks"),
        ([2] + [0] * 20, "made_up.yaml: block0.depth is 2; expected an index: 0: depth=1"),
        ([-1] + [0] * 20, "made_up.yaml: block0.depth is -1; expected"),
        ([True] + [0] * 20, "made_up.yaml: block0.depth is true; expected"),
        ([[0] * 6] * 3, "made_up.yaml: number of decisions is 3; expected 21"),
        ("0", 'made_up.yaml: decisions is "0"; expected a list of indices'),
        (None, "made_up.yaml: decisions is null; expected a list"),
    ],
)
def test_wrong_decisions(content, message):
    with pytest.raises(InputError) as caught:
        build(small()).parse(content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_encode_refuses_foreign_networks():
    space = build(small())
    spec = space.decode((0,) * 21)
    for other, reason in [
        (build(small(class_num=6)), "stem, head or number of blocks differ"),
        (build(small(kernel_size=[7])), "block 0 differs"),
        (build(small(first_mbconv_filter_size=8)), "stem, head or number of blocks differ"),
    ]:
        with pytest.raises(InputError, match=reason):
            other.encode(spec)
