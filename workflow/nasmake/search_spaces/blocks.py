"""What a block of a search space may become, and the decisions that choose it.

A decision is a list of choices; a choice sets some of the block's fields. How a kind of space divides its fields among
decisions is one function: `joint_decisions` (ProxylessNAS: one decision per block) or `separate_decisions` (MnasNet).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from nasmake.search_spaces.spec import LayerSpec, squeeze_channels

FIELDS = ("depth", "width", "kernel_size", "op", "skip", "se_ratio", "expand_ratio")
ZERO = "zero"


@dataclass(frozen=True)
class Decision:
    """One categorical variable of a search space.

    Attributes:
        name: such as `block3` or `block3.kernel_size`; blocks are counted from 0.
        choices: the fields that each choice sets.
    """

    name: str
    choices: tuple[Mapping[str, Any], ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The choices for people, such as `kernel_size=3 expand_ratio=6`."""
        return tuple(" ".join(f"{key}={value}" for key, value in choice.items()) for choice in self.choices)


@dataclass(frozen=True)
class Block:
    """The choices of one block, in the order of the space file.

    Attributes:
        stride: of the first layer.
        in_channel_choices: every width that can arrive here.
        depth: numbers of layers.
        op: conv, sepconv, mbconv and, where the block may vanish, zero.
        skip: whether layers have a residual connection if their shapes allow one.
        se_ratio: squeeze and excitation: hidden width over the layer's input width; 0 means none.
    """

    stride: int
    in_channel_choices: tuple[int, ...]
    depth: tuple[int, ...]
    width: tuple[int, ...]
    kernel_size: tuple[int, ...]
    op: tuple[str, ...]
    skip: tuple[bool, ...]
    se_ratio: tuple[float, ...]
    expand_ratio: tuple[int, ...]

    @property
    def out_channel_choices(self) -> tuple[int, ...]:
        """Every width that can leave the block, ascending."""
        return tuple(sorted({*self.width, *(self.in_channel_choices if ZERO in self.op else ())}))

    def values(self, chosen: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Every field, for one choice of every decision; a field that no choice sets has its first value."""
        values = {name: getattr(self, name)[0] for name in FIELDS}
        for choice in chosen:
            values |= choice
        return values

    def layers(self, in_channels: int, chosen: Iterable[Mapping[str, Any]]) -> tuple[LayerSpec, ...]:
        """The layers after `in_width` channels for one choice of every decision; none for zero."""
        return stack(self.values(chosen), in_channels, self.stride)

    def vectors(self, decisions: Iterable[Decision]) -> int:
        """The number of decision vectors; expansion ratios count for an mbconv only."""
        combinations = product(*(decision.choices for decision in decisions))
        return sum(not self.has_idle_expansion(self.values(chosen)) for chosen in combinations)

    def has_idle_expansion(self, values: Mapping[str, Any]) -> bool:
        """Whether an operation that does not expand is given a second or later expansion ratio."""
        return bool(values["op"] != "mbconv" and values["expand_ratio"] != self.expand_ratio[0])


def stack(values: Mapping[str, Any], in_channels: int, stride: int) -> tuple[LayerSpec, ...]:
    """The layers that one value of each of FIELDS describes; the stride is the first one's."""
    if values["op"] == ZERO:
        return ()
    first = _layer(values, in_channels, stride)
    return (first, *[_layer(values, values["width"], 1)] * (values["depth"] - 1))


def _layer(values: Mapping[str, Any], in_channels: int, stride: int) -> LayerSpec:
    return LayerSpec(
        op=values["op"],
        kernel_size=values["kernel_size"],
        expand_ratio=values["expand_ratio"] if values["op"] == "mbconv" else 1,
        in_channels=in_channels,
        out_channels=values["width"],
        stride=stride,
        residual=values["skip"] and stride == 1 and in_channels == values["width"],
        se_channels=squeeze_channels(values["se_ratio"], in_channels),
        se_ratio=values["se_ratio"],
    )


def joint_decisions(block: Block, name: str) -> tuple[Decision, ...]:
    """One decision: zero first, where it is allowed, then the kernel sizes, and for each the expansion ratios.

    Fields beyond these two take part, varying fastest, if they have several choices.
    """
    fields = ["kernel_size", "expand_ratio"]
    fields += [field for field in FIELDS if field not in fields and len(_choices_but_zero(block, field)) > 1]
    combinations = product(*(_choices_but_zero(block, field) for field in fields))
    operation = next(op for op in block.op if op != ZERO)
    choices = [{"op": operation} | dict(zip(fields, values, strict=True)) for values in combinations]
    choices = [choice for choice in choices if not block.has_idle_expansion(choice)]
    zero = [{"op": ZERO}] if ZERO in block.op else []
    return (Decision(name, tuple(zero + choices)),)


def separate_decisions(block: Block, name: str) -> tuple[Decision, ...]:
    """One decision per field, in the order of FIELDS."""
    return tuple(
        Decision(f"{name}.{field}", tuple({field: value} for value in getattr(block, field))) for field in FIELDS
    )


def _choices_but_zero(block: Block, field: str) -> list[Any]:
    return [value for value in getattr(block, field) if value != ZERO]
