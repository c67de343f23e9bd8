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

from nasmake.core.errors import InputError
from nasmake.search_spaces.blocks import ZERO, stack
from nasmake.search_spaces.own_operations import OwnOperation, operations_of
from nasmake.search_spaces.spec import (
    BN_EPSILON,
    BN_MOMENTUM,
    EXPANDING,
    OPERATIONS,
    LayerSpec,
    NetworkSpec,
)
from nasmake.search_spaces.value_rules import (
    BOOLEAN,
    CHANNELS,
    CLASSES,
    DEPTH,
    EDGE,
    FRACTION,
    MOST_BLOCKS,
    MOST_LAYERS,
    NOT_NEGATIVE,
    ODD,
    POSITION,
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
    text,
    whole,
)

RUN: dict[str, Rule] = {
    "op": one_of(*OPERATIONS, ZERO),
    "depth": DEPTH,
    "kernel_size": ODD,
    "stride": STRIDE,
    "expand_ratio": POSITIVE,
    "width": CHANNELS,
    "se_ratio": NOT_NEGATIVE,
    "skip": BOOLEAN,
    "expand_width": CHANNELS,
    "se_width": CHANNELS,
    "se_of": SE_OF,
    "se_divisor": CHANNELS,
    **STYLE_RULES,
}
DEFAULTS: dict[str, Any] = {"depth": 1, "stride": 1, "expand_ratio": 1, "se_ratio": 0.0, "skip": True}
NO_EXPANSION: Rule = ("1, since only an mbconv or a fused expands", lambda value: type(value) is int and value == 1)
FOREIGN = {  # keys that an operation cannot have
    "conv": ("expand_width",),
    "sepconv": ("expand_width",),
    "depthwise": ("expand_width", "width"),  # it keeps the number of channels
}
FOREIGN_TO_OWN = ("expand_width", "se_width", "se_of", "se_divisor", *STYLE_RULES)  # a user's operation knows none
NO_SQUEEZE: Rule = ("0 for an operation of yours", lambda value: type(value) in (int, float) and value == 0)
OWN: dict[str, Rule] = {  # the file of a user's operations
    "file": text(1000),
    "sha256": text(64),
    "names": ("a list of names", lambda value: isinstance(value, list) and all(type(name) is str for name in value)),
}
ALTERNATIVES = (("expand_ratio", "expand_width"), ("se_ratio", "se_width"))  # a run has one key of each pair
FRAME: dict[str, Rule] = {  # of the whole network
    "activation": STYLE_RULES["activation"],
    "se_activation": STYLE_RULES["se_activation"],
    "se_gate": STYLE_RULES["se_gate"],
    "bn_eps": SMALL,
    "bn_momentum": FRACTION,
}
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
VALUES: dict[str, Rule] = IMAGES | {
    "stem.width": CHANNELS,
    "stem.stride": STRIDE,
    "stem.kernel_size": ODD,
    "stem.activation": STYLE_RULES["activation"],
    "head.width": CHANNELS,
    "head.activation": STYLE_RULES["activation"],
    "head.position": POSITION,
    "head.bias": BOOLEAN,
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
    ("class_num", "dropout", "operations", *FRAME, *MEMBERSHIP, *IMAGES, *INFORMATION), False
)


def parse_network(
    content: Any, source: str, num_classes: int | None = None, own: Mapping[str, OwnOperation] | None = None
) -> NetworkSpec:
    """Return the network that the parsed content of an architecture file describes.

    Args:
        content: what the file holds.
        source: the file's name, for errors.
        num_classes: number of classes; None: the file's `class_num`.
        own: operations of the user that may run, by name; None: those that the file names, which may not run.

    Raises:
        InputError: one line with file, block, key, value and the allowed values.
    """
    content = section(content, source, "", KEYS if num_classes is not None else KEYS | {"class_num": True})
    stem_keys = {"width": True, "stride": True, "kernel_size": False, "activation": False}
    stem = section(content["stem"], source, "stem", stem_keys)
    head = content["head"]
    if head is not None:  # a network can have no head
        section(head, source, "head", {"width": True, "position": False, "activation": False, "bias": False})
    values = {f"stem.{key}": value for key, value in stem.items()}
    values |= {f"head.{key}": value for key, value in (head or {}).items()}
    values |= {key: content[key] for key in (*IMAGES, *FRAME, "class_num") if key in content}
    for key, value in values.items():
        checked(value, (VALUES | FRAME)[key], f"{source}: {key}")
    style = {key: content[key] for key in STYLE_RULES if key in content}
    activation = style.get("activation", "relu")
    return NetworkSpec(
        stem_channels=stem["width"],
        stem_stride=stem["stride"],
        blocks=_blocks(content["blocks"], source, stem["width"], style, _own_operations(content, source, own)),
        head_channels=head["width"] if head else 0,
        num_classes=content["class_num"] if num_classes is None else num_classes,
        dropout=float(checked(content.get("dropout", DROPOUT), FRACTION, f"{source}: dropout")),
        stem_kernel_size=stem.get("kernel_size", 3),
        stem_activation=stem.get("activation", activation),
        head_activation=head.get("activation", activation) if head else "relu",
        head_after_pooling=(head or {}).get("position") == "after_pooling",
        head_bias=(head or {}).get("bias", True),
        bn_eps=float(content.get("bn_eps", BN_EPSILON)),
        bn_momentum=float(content.get("bn_momentum", BN_MOMENTUM)),
    )


def _own_operations(
    content: Mapping[str, Any], source: str, own: Mapping[str, OwnOperation] | None
) -> Mapping[str, OwnOperation]:
    """Return the operations of a user that the blocks may have.

    Raises:
        InputError: the file was written for another content of the Python file than that of `own`.
    """
    named = content.get("operations")
    if named is not None:
        section(named, source, "operations", dict.fromkeys(OWN, True))
        for key, rule in OWN.items():
            checked(named[key], rule, f"{source}: operations.{key}")
    if not own:
        return operations_of(named, may_run=False)
    file = next(iter(own.values())).file
    if named is not None and named["sha256"] != file.sha256:
        fail(f"{source}: operations.sha256", named["sha256"], f"{file.sha256}, the checksum of {file.path}")
    return own


def _blocks(
    content: Any, source: str, in_channels: int, style: Mapping[str, Any], own: Mapping[str, OwnOperation]
) -> tuple[tuple[LayerSpec, ...], ...]:
    """Return the layers of each block.

    Args:
        content: the value of `blocks`.
        source: the file's name, for errors.
        in_channels: channels that arrive at the first block.
        style: activations and gate of runs that do not give their own.
        own: operations of a user, by name.
    """
    if not isinstance(content, list) or not 1 <= len(content) <= MOST_BLOCKS:
        fail(f"{source}: blocks", content, f"a list of blocks; 1 to {MOST_BLOCKS} of them")
    blocks, count = [], 0
    for index, block in enumerate(content):
        runs = {f"blocks[{index}]": block}
        if isinstance(block, list):
            runs = {f"blocks[{index}][{position}]": run for position, run in enumerate(block)}
        layers: tuple[LayerSpec, ...] = ()
        for location, run in runs.items():
            values = {**style, **_run_values(run, source, location, own)}
            count += values["depth"]
            if count > MOST_LAYERS:
                fail(f"{source}: {location}.depth", values["depth"], f"at most {MOST_LAYERS} layers in all blocks")
            layers += stack(values, in_channels, values["stride"])
            in_channels = layers[-1].out_channels if layers else in_channels
        blocks.append(layers)
    return tuple(blocks)


def _run_values(run: Any, source: str, location: str, own: Mapping[str, OwnOperation]) -> Mapping[str, Any]:
    """Return the values of a run of equal layers with defaults; a run of the operation zero has no other key."""
    operation = section(run, source, location, {key: key == "op" for key in RUN})["op"]
    checked(operation, one_of(*OPERATIONS, ZERO, *own), f"{source}: {location}.op")
    expands = operation in EXPANDING
    required = {"op", "kernel_size"} | (set() if operation == "depthwise" else {"width"})
    required |= {"expand_ratio"} if expands and "expand_width" not in run else set()
    foreign = FOREIGN_TO_OWN if operation in own else FOREIGN.get(operation, ())
    keys = {key: key in required for key in RUN if key not in foreign}
    section(run, source, location, {"op": True} if operation == ZERO else keys)
    for first, second in ALTERNATIVES:
        if first in run and second in run:
            raise InputError(f"{source}: {location} has both {first} and {second}; expected one of them")
    rules = RUN if expands else RUN | {"expand_ratio": NO_EXPANSION}
    rules |= {"se_ratio": NO_SQUEEZE} if operation in own else {}
    values = {key: checked(run[key], rules[key], f"{source}: {location}.{key}") for key in run if key != "op"}
    values |= {"op": own.get(operation, operation)}
    return DEFAULTS | values | {"se_ratio": float(values.get("se_ratio", DEFAULTS["se_ratio"]))}
