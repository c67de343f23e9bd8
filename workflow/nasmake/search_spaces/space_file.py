"""Read the parsed text of a space file: validate it, and turn it into blocks and settings.

The format is the predecessor's. `search_range` lists the choices of the search; `settings` holds what is fixed. A list
of choices (`conv_ops`, `kernel_size`, ...) holds for every block; a list of lists gives each block its own choices.
Decisions and networks live in space.py. This module imports core and its own room only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasmake.core.errors import InputError
from nasmake.search_spaces.blocks import ZERO, Block
from nasmake.search_spaces.own_operations import OwnOperation
from nasmake.search_spaces.value_rules import (
    BOOLEAN,
    CHANNELS,
    CLASSES,
    DEPTH,
    EDGE,
    FRACTION,
    MOST_BLOCKS,
    MOST_CHANNELS,
    MOST_DEPTH,
    MOST_LAYERS,
    NOT_NEGATIVE,
    ODD,
    POSITIVE,
    SE_OF,
    SMALL,
    STRIDE,
    STYLE_RULES,
    Rule,
    checked,
    fail,
    one_of,
    section,
    whole,
)

PER_BLOCK: dict[str, Rule] = {  # one whole number for each block
    "base_layer_num": DEPTH,
    "base_filter_size": CHANNELS,
    "strides": STRIDE,
}
MOST_CHOICES = 64  # of one key of a block
MOST_COMBINATIONS = 10_000  # of the choices of one block, which are enumerated
CONV_OPS = ("Conv", "SepConv", "MBConv", "Fused", "Zero")
CHOICES: dict[str, Rule] = {
    "kernel_size": ODD,
    "layer_search_range": whole(1000, -1000),
    "filter_size_search_ratio": POSITIVE,
    "conv_ops": one_of(*CONV_OPS),
    "expansion_ratio": POSITIVE,
    "skip_ops": one_of("no_skip", "skip"),
    "se_ratio": NOT_NEGATIVE,
    "activation": STYLE_RULES["activation"],
}
STYLE: dict[str, Rule] = {  # optional settings that hold for all layers
    "se_activation": STYLE_RULES["se_activation"],
    "se_gate": STYLE_RULES["se_gate"],
    "se_of": SE_OF,
    "se_divisor": CHANNELS,
}
FRAME = {  # optional settings of the whole network, with their fields in NetworkSpec
    "first_conv_kernel_size": "stem_kernel_size",
    "first_conv_activation": "stem_activation",
    "last_activation": "head_activation",
    "last_after_pooling": "head_after_pooling",
    "last_bias": "head_bias",
    "bn_eps": "bn_eps",
    "bn_momentum": "bn_momentum",
}
OPTIONAL: dict[str, Rule] = STYLE | {
    "first_conv_kernel_size": ODD,
    "first_conv_activation": STYLE_RULES["activation"],
    "first_mbconv_activation": STYLE_RULES["activation"],
    "first_mbconv_skip": BOOLEAN,
    "last_activation": STYLE_RULES["activation"],
    "last_after_pooling": BOOLEAN,
    "last_bias": BOOLEAN,
    "bn_eps": SMALL,
    "bn_momentum": FRACTION,
}
SETTINGS: dict[str, Rule] = {
    "class_num": CLASSES,
    "first_conv_filter_size": CHANNELS,
    "first_mbconv_filter_size": CHANNELS,
    "last_ch": CHANNELS,
    "first_conv_stride": STRIDE,
    "input_size": EDGE,
    "dropout": FRACTION,
}
DEFAULTS: dict[str, Any] = {  # the predecessor's code has this stride and this dropout as constants
    "first_mbconv_filter_size": None,
    "first_conv_stride": 2,
    "input_size": None,
    "dropout": 0.2,
}


@dataclass(frozen=True)
class SpaceFile:
    """The validated content of a space file.

    Attributes:
        blocks: the searched blocks.
        settings: the values of SETTINGS under their names in the file.
    """

    blocks: tuple[Block, ...]
    settings: Mapping[str, Any]


def parse_space_file(content: Any, source: str, own: Mapping[str, OwnOperation]) -> SpaceFile:
    """Validate the parsed content of a space file.

    Args:
        content: what the file holds.
        source: the file's name, for errors.
        own: operations that a user wrote, by name, which `conv_ops` may list too.

    Raises:
        InputError: one line with file, key, block, value and the allowed values.
    """
    content = section(content, source, "", {"search_range": True, "settings": True})
    required = dict.fromkeys(("base_layer_num", "base_filter_size", *CHOICES), True) | {"activation": False}
    ranges = section(content["search_range"], source, "search_range", required)
    required = {"strides": True} | {name: name not in DEFAULTS for name in SETTINGS} | dict.fromkeys(OPTIONAL, False)
    given = section(content["settings"], source, "settings", required)
    settings = DEFAULTS | {name: given[name] for name in SETTINGS | OPTIONAL if name in given}
    for name, rule in (SETTINGS | OPTIONAL).items():
        if name in given:
            checked(given[name], rule, f"{source}: settings.{name}")
    columns = _columns({"activation": ["relu"], **ranges, "strides": given["strides"]}, source, own)
    columns["conv_ops"] = [[own.get(name, name.lower()) for name in names] for names in columns["conv_ops"]]
    blocks: list[Block] = []
    in_channel_choices: tuple[int, ...] = (settings["first_mbconv_filter_size"] or settings["first_conv_filter_size"],)
    style = {"style": tuple((name, given[name]) for name in STYLE if name in given)}
    for index in range(len(columns["strides"])):
        values = style | {name: column[index] for name, column in columns.items()}
        previous_channels = blocks[-1].width[0] if blocks else None
        blocks.append(
            _block(values, previous_channels, in_channel_choices, f"{source}: search_range.%s of block {index}")
        )
        in_channel_choices = blocks[-1].out_channel_choices
    if (layers := sum(max(block.depth) for block in blocks)) > MOST_LAYERS:
        fail(f"{source}: search_range.base_layer_num", ranges["base_layer_num"], f"{MOST_LAYERS} layers, not {layers}")
    return SpaceFile(tuple(blocks), settings)


def _columns(lists: Mapping[str, Any], source: str, own: Mapping[str, OwnOperation]) -> dict[str, Sequence[Any]]:
    """Return for every key of PER_BLOCK and CHOICES one entry per block: a number, or a tuple of choices."""
    columns: dict[str, Sequence[Any]] = {}
    for name, rule in (PER_BLOCK | CHOICES | {"conv_ops": one_of(*CONV_OPS, *own)}).items():
        location, value = f"{source}: {'settings' if name == 'strides' else 'search_range'}.{name}", lists[name]
        count = len(columns.get("base_layer_num", value if isinstance(value, list) else ()))
        if name in PER_BLOCK:
            columns[name] = _values(value, rule, location)
        elif isinstance(value, list) and value and isinstance(value[0], list):
            columns[name] = [_choices(entry, rule, f"{location} of block {i}") for i, entry in enumerate(value)]
        else:
            columns[name] = [_choices(value, rule, location)] * count
        if len(columns[name]) != count:
            given, expected = len(columns[name]), f"{count}, one per block as in search_range.base_layer_num"
            raise InputError(f"{location} has {given} values; expected {expected}")
    return columns


def _values(value: Any, rule: Rule, location: str) -> tuple[Any, ...]:
    """Return the entries of a list if the rule allows each of them."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_BLOCKS:
        fail(location, value, f"a list of values, each {rule[0]}; 1 to {MOST_BLOCKS} values")
    return tuple(checked(entry, rule, location) for entry in value)


def _choices(value: Any, rule: Rule, location: str) -> tuple[Any, ...]:
    """Return the entries of a list if the rule allows each of them and no two are equal."""
    values = _values(value, rule, location)
    if len(set(values)) != len(values) or len(values) > MOST_CHOICES:
        fail(location, value, f"different values, at most {MOST_CHOICES}")
    return values


def _block(
    values: Mapping[str, Any], previous_channels: int | None, in_channel_choices: tuple[int, ...], location: str
) -> Block:
    """Return one block.

    Args:
        values: the block's entries of `_columns`.
        previous_channels: the first choice of output channels of the block before; None for the first block.
        in_channel_choices: the numbers of channels that can arrive.
        location: file, key (as `%s`) and block, for errors.
    """
    depths = [values["base_layer_num"] + offset for offset in values["layer_search_range"]]
    depths = [depth for depth in depths if depth > 0]
    if not depths or max(depths) > MOST_DEPTH:
        expected = f"at most {MOST_DEPTH} layers in the block" if depths else "at least one layer in the block"
        fail(location % "layer_search_range", values["layer_search_range"], expected)
    widths = tuple(int(values["base_filter_size"] * ratio) for ratio in values["filter_size_search_ratio"])
    if not 1 <= min(widths) <= max(widths) <= MOST_CHANNELS:
        expected = f"ratios that leave at least 1 channel and at most {MOST_CHANNELS}"
        fail(location % "filter_size_search_ratio", values["filter_size_search_ratio"], expected)
    combinations = math.prod(len(values[name]) for name in CHOICES)
    if combinations > MOST_COMBINATIONS:
        expected = f"at most {MOST_COMBINATIONS} combinations of the block's choices, not {combinations}"
        fail(location % "kernel_size", values["kernel_size"], expected)
    may_vanish = values["strides"] == 1 and widths[0] == previous_channels
    operations = tuple(name for name in values["conv_ops"] if name != ZERO or may_vanish)
    if set(operations) <= {ZERO}:
        fail(location % "conv_ops", ["Zero"], "an operation besides Zero")
    return Block(
        stride=values["strides"],
        in_channel_choices=in_channel_choices,
        depth=tuple(depths),
        width=widths,
        kernel_size=values["kernel_size"],
        op=operations,
        skip=tuple(name == "skip" for name in values["skip_ops"]),
        se_ratio=tuple(float(ratio) for ratio in values["se_ratio"]),
        expand_ratio=values["expansion_ratio"],
        activation=values["activation"],
        style=values["style"],
    )
