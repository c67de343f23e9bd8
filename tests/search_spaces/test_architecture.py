"""search_spaces/architecture.py, and the reader search_spaces/architecture_file.py with its rules in value_rules.py."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasmake.core.errors import InputError
from nasmake.search_spaces import Architecture, LayerSpec, NetworkSpec
from nasmake.search_spaces.spec import ACTIVATIONS, EXPANDING, GATES, OPERATIONS, squeeze_channels
from small_spaces import build, made_up, shipped, small

SEP = {"op": "sepconv", "kernel_size": 3, "width": 16}
MB = {"op": "mbconv", "kernel_size": 5, "expand_ratio": 6, "width": 16}


def content(*blocks, **more):
    return {"stem": {"width": 8, "stride": 2}, "blocks": list(blocks), "head": {"width": 32}, "class_num": 10} | more


def read(given, **options):
    return Architecture.from_json(given, "mine.json", **options)


def rewritten(architecture):
    return read(json.loads(json.dumps(architecture.to_json())))


def ratios(spec):
    """Return the ratios, which a comparison of layers leaves out."""
    return [layer.se_ratio for block in spec.blocks for layer in block]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(space=made_up(), seed=st.integers(0, 99))
def test_round_trip_of_architectures_of_spaces(space, seed):
    architecture = Architecture.from_decisions(space.sample(Random(seed)), space)
    again = rewritten(architecture)
    assert again == architecture and ratios(again.spec) == ratios(architecture.spec)
    again.check_member(space, "mine.json")


@st.composite
def networks(draw):
    """Draw a network whose blocks have up to three layers of any kind, also unequal ones."""
    channels, blocks = 8, []
    for _ in range(draw(st.integers(1, 4))):
        layers = []
        for _ in range(draw(st.integers(0, 3))):
            op = draw(st.sampled_from(OPERATIONS))
            stride = draw(st.sampled_from([1, 2]))
            out_channels = channels if op == "depthwise" else draw(st.sampled_from([8, 12]))
            ratio = draw(st.sampled_from([0.0, 0.25, 0.3]))
            residual = stride == 1 and channels == out_channels and draw(st.booleans())
            expand = draw(st.sampled_from([1, 3, 2.5, 0.75])) if op in EXPANDING else 1
            shape = (op, draw(st.sampled_from([3, 5])), expand, channels, out_channels, stride, residual)
            squeeze = squeeze_channels(ratio, channels)
            style = [draw(st.sampled_from(names)) for names in (ACTIVATIONS, ACTIVATIONS, GATES)]
            layers.append(LayerSpec(*shape, squeeze, ratio, *(style if squeeze else style[:1])))
            channels = out_channels
        blocks.append(tuple(layers))
    numbers = draw(st.integers(1, 2)), tuple(blocks), draw(st.sampled_from([0, 16])), draw(st.integers(1, 9))
    after_pooling = numbers[2] > 0 and draw(st.booleans())
    head = {"head_after_pooling": after_pooling, "head_bias": not after_pooling or draw(st.booleans())}
    frame = {"stem_kernel_size": draw(st.sampled_from([3, 5])), "bn_eps": draw(st.sampled_from([1e-3, 1e-5]))}
    return NetworkSpec(
        8, *numbers, draw(st.floats(0, 0.9)), stem_activation=draw(st.sampled_from(ACTIVATIONS)), **head, **frame
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(spec=networks())
def test_round_trip_of_any_network(spec):
    again = rewritten(Architecture(spec))
    assert again == Architecture(spec) and ratios(again.spec) == ratios(spec)
    assert (again.space, again.space_hash, again.decisions) == (None, None, None)


def test_obvious_defaults():
    (first,), (second, third) = read(content(SEP, MB | {"depth": 2})).spec.blocks
    assert first == LayerSpec("sepconv", 3, 1, 8, 16, 1, residual=False)
    assert second == third == LayerSpec("mbconv", 5, 6, 16, 16, 1, residual=True)
    spec = read(content(SEP)).spec
    assert (spec.stem_channels, spec.stem_stride, spec.head_channels, spec.dropout) == (8, 2, 32, 0.2)


def test_blocks_keep_their_places():
    spec = read(content(SEP, {"op": "zero"}, [MB, SEP | {"stride": 2}])).spec
    assert [len(block) for block in spec.blocks] == [1, 0, 2]
    assert [layer.op for layer in spec.blocks[2]] == ["mbconv", "sepconv"]
    assert Architecture(spec).to_json()["blocks"][1:] == [{"op": "zero"}, spec.readable()[2]]


def test_classes_are_the_files_or_those_that_are_given():
    assert read(content(SEP, class_num=7)).spec.num_classes == 7
    assert read(content(SEP, class_num=7), num_classes=100).spec.num_classes == 100
    without = {key: value for key, value in content(SEP).items() if key != "class_num"}
    assert read(without, num_classes=100).spec.num_classes == 100
    with pytest.raises(InputError, match=r"^mine.json: class_num is missing; expected a value$"):
        read(without)


WRONG = [
    ([], "mine.json: content is []; expected a mapping with the keys stem"),
    ({}, "mine.json: stem is missing; expected a value"),
    (content(), "mine.json: blocks is []; expected a list of blocks"),
    (content(SEP, block=3), "mine.json: block: unknown key; did you mean blocks?"),
    (content(SEP, stem={"width": 8}), "mine.json: stem.stride is missing; expected a value"),
    (content(SEP, stem={"width": 0, "stride": 2}), "mine.json: stem.width is 0; expected a whole number >= 1"),
    (content(SEP, head={"widths": 8}), "mine.json: head.widths: unknown key; did you mean width?"),
    (content(SEP, head=8), "mine.json: head is 8; expected a mapping"),
    (content(SEP | {"activation": "gelu"}), "mine.json: blocks[0].activation is gelu; expected one of relu, relu6"),
    (content(SEP | {"se_ratio": 0.5, "se_width": 8}), "mine.json: blocks[0] has both se_ratio and se_width; expected"),
    (content(SEP | {"expand_width": 8}), "mine.json: blocks[0].expand_width: unknown key"),
    (content({"op": "depthwise", "kernel_size": 3, "width": 8}), "mine.json: blocks[0].width: unknown key"),
    (content({"op": "fused", "kernel_size": 3, "width": 8}), "mine.json: blocks[0].expand_ratio is missing"),
    (content(SEP, head={"width": 8, "position": "between"}), "mine.json: head.position is between; expected one of"),
    (content(SEP, bn_eps=0), "mine.json: bn_eps is 0; expected a number > 0 and <= 1"),
    (content(SEP, dropout=1), "mine.json: dropout is 1; expected a number >= 0 and < 1"),
    (content(SEP, class_num="10"), 'mine.json: class_num is "10"; expected a whole number >= 1'),
    (content(SEP, input_size="32"), 'mine.json: input_size is "32"; expected a whole number >= 1'),
    (content(SEP, 3), "mine.json: blocks[1] is 3; expected a mapping"),
    (content(SEP, MB | {"kernel": 5}), "mine.json: blocks[1].kernel: unknown key; did you mean kernel_size?"),
    (content(SEP, MB | {"kernel_size": 4}), "mine.json: blocks[1].kernel_size is 4; expected an odd whole number >= 1"),
    (content(SEP, [MB, MB | {"width": 0}]), "mine.json: blocks[1][1].width is 0; expected a whole number >= 1"),
    (
        content(SEP | {"op": "SepConv"}),
        "mine.json: blocks[0].op is SepConv; expected one of conv, depthwise, sepconv, mbconv, fused, zero",
    ),
    (content(SEP | {"expand_ratio": 6}), "mine.json: blocks[0].expand_ratio is 6; expected 1, since only an mbconv"),
    (content(SEP | {"skip": 1}), "mine.json: blocks[0].skip is 1; expected true or false"),
    (content(SEP | {"depth": 2.0}), "mine.json: blocks[0].depth is 2.0; expected a whole number >= 1"),
    (content(SEP | {"se_ratio": True}), "mine.json: blocks[0].se_ratio is true; expected a number >= 0 and <= 1000"),
    (content(SEP | {"depth": 10**12}), "mine.json: blocks[0].depth is 1000000000000; expected a whole number >= 1 and"),
    (content(SEP | {"depth": 1001}), "mine.json: blocks[0].depth is 1001; expected a whole number >= 1 and <= 1000"),
    (
        content(*[SEP | {"depth": 1000, "stride": 1}] * 11),
        "mine.json: blocks[10].depth is 1000; expected at most 10000 layers in all blocks",
    ),
    (content(*[SEP] * 201), "mine.json: blocks is [{"),
    (content(SEP | {"width": 10**400}), "mine.json: blocks[0].width is 1000"),
    (content(SEP | {"se_ratio": 10**400}), "mine.json: blocks[0].se_ratio is 1000"),
    (content(SEP, space="x" * 300, space_hash="", decisions=[]), "mine.json: space is xxx"),
    (content({"kernel_size": 3}), "mine.json: blocks[0].op is missing; expected a value"),
    (content({"op": "conv", "width": 3}), "mine.json: blocks[0].kernel_size is missing; expected a value"),
    (
        content({"op": "mbconv", "kernel_size": 3, "width": 3}),
        "mine.json: blocks[0].expand_ratio is missing; expected a value",
    ),
    (content({"op": "zero", "width": 3}), "mine.json: blocks[0].width: unknown key; expected one of op"),
    (
        content(SEP, space="x"),
        "mine.json: space_hash is missing; expected all of space, space_hash, decisions, or none",
    ),
    (content(SEP, space="x", space_hash=1, decisions=[]), "mine.json: space_hash is 1; expected text"),
    (
        content(SEP, space="x", space_hash="", decisions=[0.5]),
        "mine.json: decisions is [0.5]; expected a list of indices",
    ),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_content(given, message):
    with pytest.raises(InputError) as caught:
        read(given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_member_of_a_space_whatever_its_number_of_classes():
    space = shipped("proxyless_cifar10")
    architecture = Architecture.from_decisions(space.sample(Random(0)), space)
    architecture.check_member(shipped("proxyless_cifar100"), "mine.json")
    architecture.with_classes(7).check_member(space, "mine.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"space_hash": "0" * 16},
            r"^mine.json: space_hash is 0{16}; expected .{16}, the hash of made_up.yaml; give the space file .*, or re",
        ),
        ({"decisions": [9] * 21}, r"^made_up.yaml: block0.depth is 9; expected an index"),
        ({"decisions": [0] * 20}, r"^made_up.yaml: number of decisions is 20; expected 21"),
        ({"decisions": [0, 1] + [0] * 19}, r"^mine.json: decisions choose another network in made_up.yaml; corr"),
        ({"dropout": 0.5}, r"^mine.json: decisions choose another network in made_up.yaml"),
    ],
)
def test_no_member_of_its_space(changes, message):
    space = build(small())
    architecture = read(Architecture.from_decisions((0,) * 21, space).to_json() | changes)
    with pytest.raises(InputError, match=message) as caught:
        architecture.check_member(space, "mine.json")
    assert "\n" not in str(caught.value)


def test_wrong_vector():
    with pytest.raises(InputError, match="number of decisions is 2; expected 21"):
        Architecture.from_decisions((0, 0), build(small()))
