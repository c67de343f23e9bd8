"""From the parsed text of a space file to blocks and settings, with errors that name file, key and block.

The format is the predecessor's: `search_range` lists what the search may choose, `settings` what it may not.
`conv_ops`, `kernel_size` and the other choice lists hold for every block; a list of lists gives each block its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasmake.search_spaces.blocks import ZERO, Block
from nasmake.search_spaces.checks import Rule, checked, fail, fraction, is_number, odd, one_of, section, whole

PER_BLOCK: dict[str, Rule] = {"base_layer_num": whole(1), "base_filter_size": whole(1), "strides": whole(1)}
CHOICES: dict[str, Rule] = {
    "kernel_size": odd(),
    "layer_search_range": ("a whole number", lambda value: type(value) is int),
    "filter_size_search_ratio": ("a number > 0", lambda value: is_number(value) and value > 0),
    "conv_ops": one_of("Conv", "SepConv", "MBConv", "Zero"),
    "expansion_ratio": whole(1),
    "skip_ops": one_of("no_skip", "skip"),
    "se_ratio": fraction(),
}
SETTINGS: dict[str, Rule] = {
    "class_num": whole(1),
    "first_conv_filter_size": whole(1),
    "first_mbconv_filter_size": whole(1),
    "last_ch": whole(1),
    "first_conv_stride": whole(1),
    "input_size": whole(1),
    "dropout": fraction(),
}
RANGES = ("base_layer_num", "base_filter_size", *CHOICES)
OPTIONAL: dict[str, Any] = {  # first_conv_stride and dropout: what the predecessor has hard-coded
    "first_mbconv_filter_size": None,
    "first_conv_stride": 2,
    "input_size": None,
    "dropout": 0.2,
}


@dataclass(frozen=True)
class SpaceFile:
    """The validated content of a space file: the settings under their names in the file, without the strides."""

    blocks: tuple[Block, ...]
    settings: Mapping[str, Any]


def parse_space_file(content: Any, source: str) -> SpaceFile:
    """Validate the parsed content of the file called `source`.

    Raises:
        InputError: one line with file, key, block, value and what is allowed.
    """
    content = section(content, source, "", {"search_range": True, "settings": True})
    ranges = section(content["search_range"], source, "search_range", dict.fromkeys(RANGES, True))
    required = {"strides": True} | {name: name not in OPTIONAL for name in SETTINGS}
    given = section(content["settings"], source, "settings", required)
    settings = {name: given.get(name, default) for name, default in OPTIONAL.items()}
    for name in SETTINGS.keys() & given.keys():
        settings[name] = checked(given[name], SETTINGS[name], f"{source}: settings.{name}")
    return SpaceFile(_blocks(ranges, given["strides"], settings, source), settings)


def _blocks(ranges: Mapping[str, Any], strides: Any, settings: Mapping[str, Any], source: str) -> tuple[Block, ...]:
    places = [f"{source}: search_range.base_layer_num", f"{source}: search_range.base_filter_size"]
    base_depths = _list(ranges["base_layer_num"], PER_BLOCK["base_layer_num"], places[0])
    base_widths = _list(ranges["base_filter_size"], PER_BLOCK["base_filter_size"], places[1])
    own_strides = _list(strides, PER_BLOCK["strides"], f"{source}: settings.strides")
    count = len(base_depths)
    _same_length(base_widths, count, places[1])
    _same_length(own_strides, count, f"{source}: settings.strides")
    lists = {name: _choices_per_block(ranges[name], name, count, source) for name in CHOICES}
    blocks: list[Block] = []
    in_channel_choices: tuple[int, ...] = (settings["first_mbconv_filter_size"] or settings["first_conv_filter_size"],)
    for index, base in enumerate(zip(own_strides, base_depths, base_widths, strict=True)):
        choices = {name: own[index] for name, own in lists.items()}
        previous = blocks[-1].width[0] if blocks else None
        blocks.append(_block(choices, *base, previous, in_channel_choices, f"{source}: search_range.%s, block {index}"))
        in_channel_choices = blocks[-1].out_channel_choices
    return tuple(blocks)


def _block(
    choices: Mapping[str, tuple[Any, ...]],
    stride: int,
    base_depth: int,
    base_width: int,
    previous: int | None,
    in_channel_choices: tuple[int, ...],
    location: str,
) -> Block:
    """One block; `previous` is the first width choice of the block before it."""
    depths = tuple(base_depth + more for more in choices["layer_search_range"] if base_depth + more > 0)
    if not depths:
        fail(location % "layer_search_range", choices["layer_search_range"], "at least one layer in the block")
    widths = tuple(int(base_width * ratio) for ratio in choices["filter_size_search_ratio"])
    if min(widths) < 1:
        fail(location % "filter_size_search_ratio", choices["filter_size_search_ratio"], "widths of at least 1 channel")
    may_vanish = stride == 1 and widths[0] == previous
    operations = tuple(name.lower() for name in choices["conv_ops"] if name != "Zero" or may_vanish)
    if set(operations) <= {ZERO}:
        fail(location % "conv_ops", choices["conv_ops"], "an operation besides Zero")
    return Block(
        stride=stride,
        in_channel_choices=in_channel_choices,
        depth=depths,
        width=widths,
        kernel_size=choices["kernel_size"],
        op=operations,
        skip=tuple(name == "skip" for name in choices["skip_ops"]),
        se_ratio=tuple(float(ratio) for ratio in choices["se_ratio"]),
        expand_ratio=choices["expansion_ratio"],
    )


def _choices_per_block(value: Any, name: str, count: int, source: str) -> list[tuple[Any, ...]]:
    location = f"{source}: search_range.{name}"
    if not (isinstance(value, list) and value and isinstance(value[0], list)):
        return [_distinct(_list(value, CHOICES[name], location), location)] * count
    _same_length(value, count, location)
    places = [f"{location}, block {index}" for index in range(count)]
    return [_distinct(_list(own, CHOICES[name], place), place) for own, place in zip(value, places, strict=True)]


def _list(value: Any, rule: Rule, location: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        fail(location, value, f"a list of values, each {rule[0]}")
    return tuple(checked(item, rule, location) for item in value)


def _same_length(values: Sequence[Any], count: int, location: str) -> None:
    if len(values) != count:
        fail(location, f"{len(values)} values", f"{count}, one per block as in search_range.base_layer_num")


def _distinct(values: tuple[Any, ...], location: str) -> tuple[Any, ...]:
    if len(set(values)) != len(values):
        fail(location, values, "different values")
    return values
