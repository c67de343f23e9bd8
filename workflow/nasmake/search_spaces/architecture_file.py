"""From the parsed text of an architecture file to a network, with errors that name file, block, key and value.

The file describes the network completely:

    {"stem": {"width": 32, "stride": 2},
     "blocks": [{"op": "sepconv", "kernel_size": 3, "width": 16},
                {"op": "mbconv", "depth": 2, "kernel_size": 5, "stride": 2, "expand_ratio": 6, "width": 24}],
     "head": {"width": 1280}}

A block is one run of equal layers, or a list of runs. The other keys are for people, or say where the network is from.
"""

from collections.abc import Mapping
from typing import Any

from nasmake.search_spaces.blocks import ZERO, stack
from nasmake.search_spaces.checks import Rule, checked, fail, fraction, odd, one_of, section, whole
from nasmake.search_spaces.spec import OPERATIONS, LayerSpec, NetworkSpec

RUN: dict[str, Rule] = {
    "op": one_of(*OPERATIONS, ZERO),
    "depth": whole(1),
    "kernel_size": odd(),
    "stride": whole(1),
    "expand_ratio": whole(1),
    "width": whole(1),
    "se_ratio": fraction(),
    "skip": ("true or false", lambda value: type(value) is bool),
}
DEFAULTS: dict[str, Any] = {"depth": 1, "stride": 1, "se_ratio": 0.0, "skip": True}
NO_EXPANSION: Rule = ("1, since only an mbconv expands", lambda value: type(value) is int and value == 1)
DROPOUT = 0.2  # as in search spaces
MEMBERSHIP = ("space", "space_hash", "decisions")  # of a network that was found in a search space
IMAGES = ("input_size", "channels")  # for which images the network is meant
COSTS = ("parameters", "macs", "latency_ms")
FACTS = (*IMAGES, *COSTS, "name", "source", "string", "state", "reason", "scores", "provenance")
KEYS = {"stem": True, "blocks": True, "head": True, "class_num": False, "dropout": False} | dict.fromkeys(
    (*MEMBERSHIP, *FACTS), False
)


def parse_network(content: Any, source: str, num_classes: int | None = None) -> NetworkSpec:
    """The network in the parsed content of the file called `source`.

    Args:
        content: what the file holds.
        source: its name, for messages.
        num_classes: number of classes; None: the file's.

    Raises:
        InputError: one line with file, block, key, value and what is allowed.
    """
    content = section(content, source, "", KEYS if num_classes is not None else KEYS | {"class_num": True})
    stem = _whole_numbers(content["stem"], source, "stem", "width", "stride")
    head = _whole_numbers(content["head"], source, "head", "width")
    for key in IMAGES:
        checked(content.get(key, 1), whole(1), f"{source}: {key}")
    own_num_classes = checked(content.get("class_num", num_classes), whole(1), f"{source}: class_num")
    return NetworkSpec(
        stem_channels=stem["width"],
        stem_stride=stem["stride"],
        blocks=_blocks(content["blocks"], source, stem["width"]),
        head_channels=head["width"],
        num_classes=own_num_classes if num_classes is None else num_classes,
        dropout=float(checked(content.get("dropout", DROPOUT), fraction(), f"{source}: dropout")),
    )


def _whole_numbers(content: Any, source: str, name: str, *keys: str) -> Mapping[str, int]:
    section(content, source, name, dict.fromkeys(keys, True))
    return {key: checked(content[key], whole(1), f"{source}: {name}.{key}") for key in keys}


def _blocks(content: Any, source: str, width: int) -> tuple[tuple[LayerSpec, ...], ...]:
    if not isinstance(content, list) or not content:
        fail(f"{source}: blocks", content, "a list of blocks")
    blocks = []
    for index, own in enumerate(content):
        location = f"blocks[{index}]"
        places = (
            {f"{location}[{place}]": run for place, run in enumerate(own)} if isinstance(own, list) else {location: own}
        )
        layers: tuple[LayerSpec, ...] = ()
        for place, run in places.items():
            layers += _layers(run, source, place, width)
            width = layers[-1].out_channels if layers else width
        blocks.append(layers)
    return tuple(blocks)


def _layers(run: Any, source: str, location: str, in_channels: int) -> tuple[LayerSpec, ...]:
    operation = checked(section(run, source, location, _keys(None))["op"], RUN["op"], f"{source}: {location}.op")
    rules = RUN if operation == "mbconv" else RUN | {"expand_ratio": NO_EXPANSION}
    section(run, source, location, _keys(operation))
    values = {key: checked(value, rules[key], f"{source}: {location}.{key}") for key, value in run.items()}
    values = DEFAULTS | values
    return stack(values | {"se_ratio": float(values["se_ratio"])}, in_channels, values["stride"])


def _keys(operation: str | None) -> dict[str, bool]:
    """The keys that a run of this operation may have, and whether it must; of any operation for None."""
    if operation == ZERO:
        return {"op": True}
    needed = {None: ("op",), "mbconv": ("op", "kernel_size", "width", "expand_ratio")}
    return {key: key in needed.get(operation, ("op", "kernel_size", "width")) for key in RUN}
