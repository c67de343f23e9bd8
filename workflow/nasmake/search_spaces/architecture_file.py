"""Read the parsed text of an architecture file: validate it, and turn it into a network.

The file describes the network completely:

    {"stem": {"width": 32, "stride": 2},
     "blocks": [{"op": "sepconv", "kernel_size": 3, "width": 16},
                {"op": "mbconv", "depth": 2, "kernel_size": 5, "stride": 2, "expand_ratio": 6, "width": 24}],
     "head": {"width": 1280}}

A block is one run of equal layers, or a list of runs. The other keys inform people, or name the network's search space.
Errors name file, block, key and value. tests/search_spaces/test_architecture.py tests this module.
"""

from collections.abc import Mapping
from typing import Any

from nasmake.search_spaces.blocks import ZERO, stack
from nasmake.search_spaces.spec import OPERATIONS, LayerSpec, NetworkSpec
from nasmake.search_spaces.value_rules import (
    CHANNELS,
    CLASSES,
    DEPTH,
    EDGE,
    FRACTION,
    MOST_BLOCKS,
    MOST_LAYERS,
    ODD,
    RATIO,
    STRIDE,
    Rule,
    checked,
    fail,
    one_of,
    section,
    text,
    whole,
)

RUN: dict[str, Rule] = {
    "op": one_of(*OPERATIONS, ZERO),
    "depth": DEPTH,
    "kernel_size": ODD,
    "stride": STRIDE,
    "expand_ratio": RATIO,
    "width": CHANNELS,
    "se_ratio": FRACTION,
    "skip": ("true or false", lambda value: type(value) is bool),
}
DEFAULTS: dict[str, Any] = {"depth": 1, "stride": 1, "expand_ratio": 1, "se_ratio": 0.0, "skip": True}
NO_EXPANSION: Rule = ("1, since only an mbconv expands", lambda value: type(value) is int and value == 1)
DROPOUT = 0.2  # the default of space files
MEMBERSHIP: dict[str, Rule] = {  # of a network that a search chose in a search space
    "space": text(200),
    "space_hash": text(200),
    "decisions": (
        "a list of indices",
        lambda value: isinstance(value, list) and all(type(index) is int for index in value),
    ),
}
IMAGES: dict[str, Rule] = {"input_size": EDGE, "channels": whole(1000)}  # of the images that the network is meant for
NUMBERS: dict[str, Rule] = IMAGES | {
    "stem.width": CHANNELS,
    "stem.stride": STRIDE,
    "head.width": CHANNELS,
    "class_num": CLASSES,
}
INFORMATION = (
    "parameters",
    "macs",
    "latency_ms",
    "name",
    "source",
    "string",
    "state",
    "reason",
    "scores",
    "provenance",
)
KEYS = dict.fromkeys(("stem", "blocks", "head"), True) | dict.fromkeys(
    ("class_num", "dropout", *MEMBERSHIP, *IMAGES, *INFORMATION), False
)


def parse_network(content: Any, source: str, num_classes: int | None = None) -> NetworkSpec:
    """Return the network that the parsed content of an architecture file describes.

    Args:
        content: what the file holds.
        source: the file's name, for errors.
        num_classes: number of classes; None: the file's `class_num`.

    Raises:
        InputError: one line with file, block, key, value and the allowed values.
    """
    content = section(content, source, "", KEYS if num_classes is not None else KEYS | {"class_num": True})
    stem = section(content["stem"], source, "stem", {"width": True, "stride": True})
    head = section(content["head"], source, "head", {"width": True})
    numbers = {f"stem.{key}": value for key, value in stem.items()} | {"head.width": head["width"]}
    numbers |= {key: content[key] for key in (*IMAGES, "class_num") if key in content}
    for key, value in numbers.items():
        checked(value, NUMBERS[key], f"{source}: {key}")
    return NetworkSpec(
        stem_channels=stem["width"],
        stem_stride=stem["stride"],
        blocks=_blocks(content["blocks"], source, stem["width"]),
        head_channels=head["width"],
        num_classes=content["class_num"] if num_classes is None else num_classes,
        dropout=float(checked(content.get("dropout", DROPOUT), FRACTION, f"{source}: dropout")),
    )


def _blocks(content: Any, source: str, in_channels: int) -> tuple[tuple[LayerSpec, ...], ...]:
    """Return the layers of each block; `in_channels` channels arrive at the first block."""
    if not isinstance(content, list) or not 1 <= len(content) <= MOST_BLOCKS:
        fail(f"{source}: blocks", content, f"a list of blocks; 1 to {MOST_BLOCKS} of them")
    blocks, count = [], 0
    for index, block in enumerate(content):
        runs = {f"blocks[{index}]": block}
        if isinstance(block, list):
            runs = {f"blocks[{index}][{position}]": run for position, run in enumerate(block)}
        layers: tuple[LayerSpec, ...] = ()
        for location, run in runs.items():
            values = _run_values(run, source, location)
            count += values["depth"]
            if count > MOST_LAYERS:
                fail(f"{source}: {location}.depth", values["depth"], f"at most {MOST_LAYERS} layers in all blocks")
            layers += stack(values, in_channels, values["stride"])
            in_channels = layers[-1].out_channels if layers else in_channels
        blocks.append(layers)
    return tuple(blocks)


def _run_values(run: Any, source: str, location: str) -> Mapping[str, Any]:
    """Return the values of a run of equal layers with defaults; a run of the operation zero has no other key."""
    operation = section(run, source, location, {key: key == "op" for key in RUN})["op"]
    checked(operation, RUN["op"], f"{source}: {location}.op")
    required = {"op", "kernel_size", "width"} | ({"expand_ratio"} if operation == "mbconv" else set())
    section(run, source, location, {"op": True} if operation == ZERO else {key: key in required for key in RUN})
    rules = RUN if operation == "mbconv" else RUN | {"expand_ratio": NO_EXPANSION}
    values = {key: checked(value, rules[key], f"{source}: {location}.{key}") for key, value in run.items()}
    return DEFAULTS | values | {"se_ratio": float(values.get("se_ratio", DEFAULTS["se_ratio"]))}
