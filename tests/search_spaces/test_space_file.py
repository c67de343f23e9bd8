"""search_spaces/space_file.py and its rules in value_rules.py: wrong files, and the blocks of right ones."""

import pytest
from nasmake.core.errors import InputError
from small_spaces import build, small

RANGE = "made_up.yaml: search_range."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": [3, 4]}, f"{RANGE}kernel_size is 4; expected an odd whole number >= 1"),
        ({"kernel_size": [3, "5"]}, f'{RANGE}kernel_size is "5"; expected an odd whole number >= 1'),
        ({"kernel_size": 3}, f"{RANGE}kernel_size is 3; expected a list of values, each an odd whole number >= 1"),
        ({"kernel_size": []}, f"{RANGE}kernel_size is []; expected a list of values"),
        ({"kernel_size": [3, 3]}, f"{RANGE}kernel_size is [3, 3]; expected different values"),
        (
            {"kernel_size": [[3], [5]]},
            f"{RANGE}kernel_size has 2 values; expected 3, one per block",
        ),
        ({"kernel_size": [[3], [5], [2]]}, f"{RANGE}kernel_size of block 2 is 2; expected an odd"),
        ({"kernel_size": [[3], [5], 3]}, f"{RANGE}kernel_size of block 2 is 3; expected a list"),
        ({"conv_ops": ["MBconv"]}, f"{RANGE}conv_ops is MBconv; expected one of Conv, SepConv, MBConv, Fused, Zero"),
        ({"conv_ops": ["Zero"]}, f'{RANGE}conv_ops of block 0 is ["Zero"]; expected an operation besides Zero'),
        ({"skip_ops": [True]}, f"{RANGE}skip_ops is true; expected one of no_skip, skip"),
        ({"se_ratio": [0, -1]}, f"{RANGE}se_ratio is -1; expected a number >= 0 and <= 1000"),
        ({"se_ratio": [-0.1]}, f"{RANGE}se_ratio is -0.1; expected a number"),
        ({"se_ratio": [float("nan")]}, f"{RANGE}se_ratio is NaN; expected a number"),
        ({"expansion_ratio": [0]}, f"{RANGE}expansion_ratio is 0; expected a number > 0"),
        ({"layer_search_range": [-2]}, f"{RANGE}layer_search_range of block 0 is [-2]; expected at least one layer"),
        (
            {"filter_size_search_ratio": [0.1]},
            f"{RANGE}filter_size_search_ratio of block 0 is [0.1]; expected ratios that leave",
        ),
        (
            {"filter_size_search_ratio": [float("inf")]},
            f"{RANGE}filter_size_search_ratio is Infinity; expected a number > 0",
        ),
        (
            {"base_filter_size": [8, 8]},
            f"{RANGE}base_filter_size has 2 values; expected 3, one per block",
        ),
        ({"base_layer_num": [1, 0, 1]}, f"{RANGE}base_layer_num is 0; expected a whole number >= 1"),
        (
            {"strides": [1, 1]},
            "made_up.yaml: settings.strides has 2 values; expected 3, one per block",
        ),
        ({"last_bias": 1}, "made_up.yaml: settings.last_bias is 1; expected true or false"),
        ({"strides": [1, 1, True]}, "made_up.yaml: settings.strides is true; expected a whole number >= 1"),
        ({"class_num": 10.0}, "made_up.yaml: settings.class_num is 10.0; expected a whole number >= 1"),
        ({"dropout": 1}, "made_up.yaml: settings.dropout is 1; expected a number >= 0 and < 1"),
        ({"first_mbconv_filter_size": None}, "made_up.yaml: settings.first_mbconv_filter_size is null; expected"),
        (
            {"base_layer_num": [1, 10**12, 1]},
            f"{RANGE}base_layer_num is 1000000000000; expected a whole number >= 1 and",
        ),
        (
            {"base_layer_num": [1, 10**5000, 1]},
            f"{RANGE}base_layer_num is a value that cannot be shown; expected a whole",
        ),
        (
            {"base_layer_num": [1000] * 3, "layer_search_range": [1]},
            f"{RANGE}layer_search_range of block 0 is [1]; expected at most 1000 layers in the block",
        ),
        ({"layer_search_range": [10**12]}, f"{RANGE}layer_search_range is 1000000000000; expected a whole number"),
        ({"filter_size_search_ratio": [10**400]}, f"{RANGE}filter_size_search_ratio is 1000"),
        (
            {"base_filter_size": [100_000] * 3, "filter_size_search_ratio": [2]},
            f"{RANGE}filter_size_search_ratio of block 0 is [2]; expected ratios that leave at least 1 channel and at",
        ),
        ({"kernel_size": list(range(1, 201, 2))}, f"{RANGE}kernel_size is [1, 3, 5, "),
        (
            {"kernel_size": list(range(1, 101, 2)), "expansion_ratio": list(range(1, 51)), "se_ratio": [0, 0.1, 0.2]},
            f"{RANGE}kernel_size of block 0 is [1, 3, 5, ",
        ),
        ({"class_num": 10**12}, "made_up.yaml: settings.class_num is 1000000000000; expected a whole number >= 1"),
        ({"a\x1b\n": 3}, 'made_up.yaml: settings."a\\u001b\\n": unknown key; expected one of'),
        ({"last_chs": 3}, "made_up.yaml: settings.last_chs: unknown key; did you mean last_ch?"),
        ({"colour": 3}, "made_up.yaml: settings.colour: unknown key; expected one of bn_eps, bn_momentum, class_num"),
    ],
)
def test_wrong_values(changes, message):
    with pytest.raises(InputError) as caught:
        build(small(**changes))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("section", ["search_range", "settings"])
def test_missing_keys(section):
    for key in small()[section]:
        mapping = small()
        del mapping[section][key]
        with pytest.raises(InputError, match=rf"^made_up.yaml: {section}.{key} is missing; expected a value$"):
            build(mapping)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "made_up.yaml: content is null; expected a mapping with the keys search_range, settings"),
        ({"search_range": {}}, "made_up.yaml: settings is missing; expected a value"),
        ({"search_range": [], "settings": {}}, "made_up.yaml: search_range is []; expected a mapping"),
        (small() | {"searchrange": {}}, "made_up.yaml: searchrange: unknown key; did you mean search_range?"),
        (small() | {3: {}}, "made_up.yaml: 3: unknown key"),
    ],
)
def test_wrong_sections(content, message):
    with pytest.raises(InputError) as caught:
        build(content)
    assert str(caught.value).startswith(message)


def test_layer_counts_below_one_are_no_choice():
    assert [block.depth for block in build(small(layer_search_range=[-1, 0, 1])).blocks] == [
        (1, 2),
        (1, 2, 3),
        (1, 2, 3),
    ]


def test_channels_are_rounded_down():
    assert build(small(filter_size_search_ratio=[0.7, 1.25])).blocks[2].width == (8, 15)


def test_zero_needs_stride_1_and_the_channels_of_the_block_before():
    blocks = build(small()).blocks
    assert ["zero" in block.op for block in blocks] == [False, True, False]
    assert [block.in_channel_choices for block in blocks] == [(8,), (6, 8), (6, 8)]


def test_lists_per_block():
    ratios = [[0.5], [1.0, 2.0], [1.0]]
    assert [block.width for block in build(small(filter_size_search_ratio=ratios)).blocks] == [(4,), (8, 16), (12,)]


def test_activations_are_searched_with_one_decision_per_block_only():
    content = small()
    content["search_range"]["activation"] = ["relu", "silu"]
    with pytest.raises(InputError, match="activation of block 0 has 2 choices; expected one without"):
        build(content)
    content["settings"]["first_mbconv_filter_size"] = content["settings"]["first_conv_filter_size"]
    assert any("activation=silu" in option for option in build(content).decisions[0].options)
