"""The pieces that networks are costed and timed by: stem, layers, and head with classifier. No torch here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, Self

from nasmake.search_spaces import Convolution, LayerSpec, NetworkSpec, SearchSpace


@dataclass(frozen=True)
class ProfiledUnit:
    """A part of a network, for images of the size that reaches it.

    Attributes:
        part: the stem, one layer, or the head.
        input_size: height and width in pixels.
        num_classes: outputs of the classifier behind the head; 0: there is none.
    """

    part: Convolution | LayerSpec
    input_size: int
    num_classes: int = 0

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """What the piece computes before the classifier, in order."""
        return self.part.convolutions if isinstance(self.part, LayerSpec) else (self.part,)

    @property
    def output_size(self) -> int:
        """Height and width of what leaves the piece."""
        return output_size(self.input_size, self.part.stride)

    @property
    def key(self) -> str:
        """All that the piece's costs depend on, such as `mbconv_k5_s2_e6_i24_o40_se4_r16` or `head_..._c10_r2`."""
        part, classes = self.part, f"_c{self.num_classes}" if self.num_classes else ""
        if isinstance(part, Convolution):
            name, expansion, skip = part.name, "", ""
        else:
            name, skip = part.op, "_skip" if part.residual else ""
            expansion = f"_e{part.expand_ratio}" if name == "mbconv" else ""
        squeeze = f"_se{part.se_channels}" if part.se_channels else ""
        shape = f"k{part.kernel_size}_s{part.stride}{expansion}_i{part.in_channels}_o{part.out_channels}"
        return f"{name}_{shape}{squeeze}{skip}{classes}_r{self.input_size}"


class Layout(NamedTuple):
    """Where the pieces of a space's networks lie.

    Attributes:
        begin: stem and fixed layers.
        sizes: height and width of the images that reach each searched block.
        ends: head and classifier, by the width that arrives at them.
    """

    begin: list[ProfiledUnit]
    sizes: list[int]
    ends: dict[int, ProfiledUnit]

    @classmethod
    def of(cls, space: SearchSpace, in_channels: int, input_size: int) -> Self:
        """The layout for images of `input_size` x `input_size` pixels."""
        spec = space.decode((0,) * len(space.decisions))
        begin = [*in_order(chain([spec.stem(in_channels)], *space.fixed), input_size)]
        sizes = [begin[-1].output_size]
        for block in space.blocks:
            sizes.append(output_size(sizes[-1], block.stride))
        heads = {width: replace(spec.head, in_channels=width) for width in space.last_channel_choices}
        return cls(
            begin, sizes[:-1], {width: ProfiledUnit(head, sizes[-1], spec.num_classes) for width, head in heads.items()}
        )


def in_order(parts: Iterable[Convolution | LayerSpec], size: int) -> Iterator[ProfiledUnit]:
    """The pieces of consecutive parts, the first of which is reached by images of `size` x `size` pixels."""
    for part in parts:
        unit = ProfiledUnit(part, size)
        yield unit
        size = unit.output_size


def units_of_network(spec: NetworkSpec, in_channels: int, input_size: int) -> list[ProfiledUnit]:
    """All pieces of a network, from the image to the logits."""
    body = [*in_order(chain([spec.stem(in_channels)], *spec.blocks), input_size)]
    return [*body, ProfiledUnit(spec.head, body[-1].output_size, spec.num_classes)]


def units_of_space(space: SearchSpace, in_channels: int, input_size: int) -> dict[str, ProfiledUnit]:
    """Every piece that a network of the space may have, once, by its key."""
    begin, sizes, ends = Layout.of(space, in_channels, input_size)
    places = ((index, width) for index, block in enumerate(space.blocks) for width in block.in_channel_choices)
    searched = (in_order(layers, sizes[index]) for index, width in places for layers in space.vectors(index, width))
    return {unit.key: unit for unit in chain(begin, *searched, ends.values())}


def output_size(size: int, stride: int) -> int:
    """Height and width behind a padded convolution: rounded up."""
    return -(-size // stride)
