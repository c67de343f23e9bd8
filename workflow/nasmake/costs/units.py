"""Profiled units: the parts of a network that are costed and timed separately.

A unit is the stem, one layer, or the head with the classifier. The sums of their costs live in table.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, Self

from nasmake.search_spaces import Convolution, LayerSpec, NetworkSpec, SearchSpace
from nasmake.search_spaces.spec import EXPANDING, STYLE


@dataclass(frozen=True)
class ProfiledUnit:
    """A part of a network, for images of the size that arrives there.

    Attributes:
        part: the stem, one layer, or the head.
        input_size: height and width of the arriving images in pixels.
        num_classes: outputs of the classifier after the head; 0 for a unit without a classifier.
    """

    part: Convolution | LayerSpec
    input_size: int
    num_classes: int = 0

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions before the classifier, in the order of computation."""
        if isinstance(self.part, LayerSpec):
            return self.part.convolutions
        return (self.part,) if self.part.kernel_size else ()

    @property
    def output_size(self) -> int:
        """Height and width in pixels after the convolutions."""
        return output_size(self.input_size, self.part.stride)

    @property
    def key(self) -> str:
        """Everything that the unit's costs depend on, as text.

        Examples: `mbconv_k5_s2_e6_i24_o40_se4_r16` and `head_k1_s1_i320_o1280_c10_r2`.
        """
        part, classes = self.part, f"_c{self.num_classes}" if self.num_classes else ""
        if isinstance(part, Convolution):
            name, expansion, skip = part.name, "", ""
        else:
            name, skip = part.op, "_skip" if part.residual else ""
            expansion = f"_e{part.expand_ratio}" if name in EXPANDING else ""
        squeeze = f"_se{part.se_channels}" if part.se_channels else ""
        style = "".join(f"_{key}-{value}" for key in STYLE if (value := getattr(part, key)) != STYLE[key])
        if isinstance(part, Convolution) and part.after_pooling:
            style += "_pooled" if part.bias else "_pooled_nobias"
        shape = f"k{part.kernel_size}_s{part.stride}{expansion}_i{part.in_channels}_o{part.out_channels}"
        return f"{name}_{shape}{squeeze}{style}{skip}{classes}_r{self.input_size}"


class Layout(NamedTuple):
    """The units that all networks of a space share, and the image sizes at its searched blocks.

    Attributes:
        begin: stem and fixed layers.
        sizes: height and width in pixels of the images that arrive at each searched block.
        ends: head and classifier, by the number of channels that arrive there.
    """

    begin: list[ProfiledUnit]
    sizes: list[int]
    ends: dict[int, ProfiledUnit]

    @classmethod
    def of(cls, space: SearchSpace, in_channels: int, input_size: int) -> Self:
        """Return the layout for images of `in_channels` channels and `input_size` x `input_size` pixels."""
        spec = space.decode((0,) * len(space.decisions))
        begin = [*in_order(chain([spec.stem(in_channels)], *space.fixed), input_size)]
        sizes = [begin[-1].output_size]
        for block in space.blocks:
            sizes.append(output_size(sizes[-1], block.stride))
        heads = {channels: replace(spec.head, in_channels=channels) for channels in space.last_channel_choices}
        ends = {channels: ProfiledUnit(head, sizes[-1], spec.num_classes) for channels, head in heads.items()}
        return cls(begin, sizes[:-1], ends)


def in_order(parts: Iterable[Convolution | LayerSpec], size: int) -> Iterator[ProfiledUnit]:
    """Yield the units of consecutive parts; images of `size` x `size` pixels arrive at the first part."""
    for part in parts:
        unit = ProfiledUnit(part, size)
        yield unit
        size = unit.output_size


def units_of_network(spec: NetworkSpec, in_channels: int, input_size: int) -> list[ProfiledUnit]:
    """Return all units of a network, from the image to the logits."""
    body = [*in_order(chain([spec.stem(in_channels)], *spec.blocks), input_size)]
    return [*body, ProfiledUnit(spec.head, body[-1].output_size, spec.num_classes)]


def units_of_space(space: SearchSpace, in_channels: int, input_size: int) -> dict[str, ProfiledUnit]:
    """Return every unit that a network of the space can have, once, by its key."""
    begin, sizes, ends = Layout.of(space, in_channels, input_size)
    arriving = ((index, channels) for index, block in enumerate(space.blocks) for channels in block.in_channel_choices)
    searched = (
        in_order(layers, sizes[index]) for index, channels in arriving for layers in space.vectors(index, channels)
    )
    return {unit.key: unit for unit in chain(begin, *searched, ends.values())}


def output_size(size: int, stride: int) -> int:
    """Return height and width after a padded convolution: size over stride, rounded up."""
    return -(-size // stride)
