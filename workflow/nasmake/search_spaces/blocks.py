"""The choices of one block of a search space, and the decisions that choose among them.

A decision is a list of choices, and a choice sets some of the block's fields. One function per kind of space divides
the fields among decisions: `joint_decisions` (ProxylessNAS: one decision per block) or `separate_decisions` (MnasNet).
tests/search_spaces/test_space.py tests this module.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from nasmake.search_spaces.own_operations import OwnOperation
from nasmake.search_spaces.spec import EXPANDING, STYLE, LayerSpec, squeeze_channels

FIELDS = ("depth", "width", "kernel_size", "op", "skip", "se_ratio", "expand_ratio")  # width: output channels
JOINT_FIELDS = (*FIELDS, "activation")  # of which a space with one decision per block may search any
ZERO = "zero"  # the operation of a block without layers


@dataclass(frozen=True)
class Decision:
    """One categorical variable of a search space.

    Attributes:
        name: such as `block3` or `block3.kernel_size`; the first block is block 0.
        choices: the fields that each choice sets.
    """

    name: str
    choices: tuple[Mapping[str, Any], ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The choices as text, such as `kernel_size=3 expand_ratio=6`."""
        return tuple(" ".join(f"{key}={value}" for key, value in choice.items()) for choice in self.choices)


@dataclass(frozen=True)
class Block:
    """The choices of one block, in the order of the space file.

    Attributes:
        stride: stride of the first layer; the other layers have stride 1.
        in_channel_choices: every number of channels that can arrive here, ascending.
        depth: numbers of layers.
        width: numbers of output channels.
        kernel_size: kernel sizes, odd.
        op: conv, sepconv, mbconv, fused, operations of a user and, where the block may vanish, zero.
        skip: whether layers have a residual connection if their shapes allow one.
        se_ratio: hidden channels of squeeze and excitation, divided by the layer's input channels; 0 means none.
        expand_ratio: inner channels of an mbconv or fused over its input channels.
        activation: activations of the layers.
        style: keys of squeeze and excitation that hold for every choice, with their values.
    """

    stride: int
    in_channel_choices: tuple[int, ...]
    depth: tuple[int, ...]
    width: tuple[int, ...]
    kernel_size: tuple[int, ...]
    op: tuple[str, ...]
    skip: tuple[bool, ...]
    se_ratio: tuple[float, ...]
    expand_ratio: tuple[float, ...]
    activation: tuple[str, ...] = ("relu",)
    style: tuple[tuple[str, Any], ...] = ()

    @property
    def out_channel_choices(self) -> tuple[int, ...]:
        """Every number of channels that can leave the block, ascending."""
        return tuple(sorted({*self.width, *(self.in_channel_choices if ZERO in self.op else ())}))

    def values(self, choices: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Return every field for one choice of each decision; fields that no choice sets have their first value."""
        values = dict(self.style) | {name: getattr(self, name)[0] for name in JOINT_FIELDS}
        for choice in choices:
            values |= choice
        return values

    def layers(self, in_channels: int, choices: Iterable[Mapping[str, Any]]) -> tuple[LayerSpec, ...]:
        """Return the layers for `in_channels` arriving channels and one choice of each decision; none for zero."""
        return stack(self.values(choices), in_channels, self.stride)

    def count_vectors(self, decisions: Iterable[Decision]) -> int:
        """Return the number of decision vectors; different expansion ratios count for an mbconv only."""
        combinations = product(*(decision.choices for decision in decisions))
        return sum(not self.has_idle_choice(self.values(choices)) for choices in combinations)

    def has_idle_choice(self, values: Mapping[str, Any]) -> bool:
        """Return whether a field that the operation ignores has its second or a later value.

        All operations but those that expand ignore the expansion ratio. Those of a user ignore squeeze and excitation
        and the activation too.
        """
        ignored = [] if values["op"] in EXPANDING else ["expand_ratio"]
        ignored += ["se_ratio", "activation"] if isinstance(values["op"], OwnOperation) else []
        return any(values[name] != getattr(self, name)[0] for name in ignored if name in values)


def stack(values: Mapping[str, Any], in_channels: int, stride: int) -> tuple[LayerSpec, ...]:
    """Return equal layers that follow each other; only the first has the stride and `in_channels` input channels.

    Args:
        values: one value for each of FIELDS; an operation zero needs no other field and gives no layer.
        in_channels: channels that arrive at the first layer.
        stride: stride of the first layer.
    """
    if values["op"] == ZERO:
        return ()
    layers = []
    for _ in range(values["depth"]):
        layer = LayerSpec(
            op=values["op"],
            kernel_size=values["kernel_size"],
            expand_ratio=_expand_ratio(values, in_channels),
            in_channels=in_channels,
            out_channels=(width := in_channels if values["op"] == "depthwise" else values["width"]),
            stride=stride,
            residual=values["skip"] and stride == 1 and in_channels == width,
        )
        layer = layer if layer.own else _with_squeeze(layer, values)
        layers.append(layer)
        in_channels, stride = layer.out_channels, 1
    return tuple(layers)


def _expand_ratio(values: Mapping[str, Any], in_channels: int) -> float:
    """Return inner over input channels, after rounding; a whole ratio is an int. So equal networks are equal."""
    if values["op"] not in EXPANDING:
        return 1
    inner: int = values.get("expand_width") or max(1, round(in_channels * values["expand_ratio"]))
    return inner // in_channels if inner % in_channels == 0 else inner / in_channels


def _with_squeeze(layer: LayerSpec, values: Mapping[str, Any]) -> LayerSpec:
    """Return the layer with its activation and its squeeze and excitation."""
    layer = replace(layer, activation=values.get("activation", "relu"))
    if not values.get("se_width", values["se_ratio"]):
        return layer
    is_expanded, divisor = values.get("se_of") == "expanded", values.get("se_divisor", 1)
    channels = layer.inner_channels if is_expanded else layer.in_channels
    return replace(
        layer,
        se_channels=values.get("se_width") or squeeze_channels(values["se_ratio"], channels, divisor),
        se_ratio=0.0 if "se_width" in values or is_expanded or divisor > 1 else values["se_ratio"],
        **{key: values[key] for key in STYLE if key in values},
    )


def joint_decisions(block: Block, name: str) -> tuple[Decision, ...]:
    """Return one decision: zero first where it is allowed, then each kernel size with each expansion ratio.

    Other fields with several choices take part too; they vary faster than these two.
    """
    options = {field: [value for value in getattr(block, field) if value != ZERO] for field in JOINT_FIELDS}
    fields = ["kernel_size", "expand_ratio"]
    fields += [field for field in JOINT_FIELDS if field not in fields and len(options[field]) > 1]
    combinations = product(*(options[field] for field in fields))
    choices = [{"op": options["op"][0]} | dict(zip(fields, values, strict=True)) for values in combinations]
    choices = [choice for choice in choices if not block.has_idle_choice(choice)]
    zero = [{"op": ZERO}] if ZERO in block.op else []
    return (Decision(name, tuple(zero + choices)),)


def separate_decisions(block: Block, name: str) -> tuple[Decision, ...]:
    """Return one decision per field, in the order of FIELDS."""
    return tuple(
        Decision(f"{name}.{field}", tuple({field: value} for value in getattr(block, field))) for field in FIELDS
    )
