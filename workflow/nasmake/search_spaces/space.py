"""A search space: its decisions, and the way between decision vectors and networks."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, Self

from nasmake.core.errors import InputError
from nasmake.core.files import fingerprint
from nasmake.search_spaces.blocks import Block, Decision, joint_decisions, separate_decisions
from nasmake.search_spaces.space_file import parse_space_file
from nasmake.search_spaces.spec import LayerSpec, NetworkSpec

Decisions = tuple[int, ...]
Layers = tuple[LayerSpec, ...]
NOT_HASHED = {"name", "source", "input_size", "num_classes"}
# Field names that enter the hash. They are those of the first release, so that hashes in old files keep their meaning.
HASHED_NAMES = {
    "stem_channels": "stem_width",
    "head_channels": "head_width",
    "in_channels": "in_width",
    "out_channels": "out_width",
    "se_channels": "se_width",
    "in_channel_choices": "in_widths",
}
DIVISIONS = {"proxyless": joint_decisions, "mnasnet": separate_decisions}


@dataclass(frozen=True)
class SearchSpace:
    """A space of networks; a network is chosen by one index per decision.

    Attributes:
        name: for people; no part of the hash.
        source: the file's name, for messages.
        kind: how decisions are made: `proxyless`, one per block, or `mnasnet`, seven per block.
        fixed: blocks between the stem and the first searched block.
        input_size: height and width of the images in pixels, if the file gives it.
    """

    name: str
    source: str
    kind: str
    stem_channels: int
    stem_stride: int
    fixed: tuple[Layers, ...]
    blocks: tuple[Block, ...]
    head_channels: int
    num_classes: int
    dropout: float
    input_size: int | None

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], name: str, source: str) -> Self:
        """Build the space from the parsed content of the file called `source`.

        A file with `settings.first_mbconv_filter_size` is a `proxyless` space, any other an `mnasnet` space.

        Raises:
            InputError: one line with file, key, block, value and what is allowed.
        """
        file = parse_space_file(mapping, source)
        settings = file.settings
        stem, first = settings["first_conv_filter_size"], settings["first_mbconv_filter_size"]
        return cls(
            name=name,
            source=source,
            kind="mnasnet" if first is None else "proxyless",
            stem_channels=stem,
            stem_stride=settings["first_conv_stride"],
            fixed=() if first is None else ((LayerSpec("sepconv", 3, 1, stem, first, stride=1, residual=False),),),
            blocks=file.blocks,
            head_channels=settings["last_ch"],
            num_classes=settings["class_num"],
            dropout=float(settings["dropout"]),
            input_size=settings["input_size"],
        )

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits over everything that gives decisions their meaning; classes are the data set's."""
        content = asdict(self, dict_factory=_with_hashed_names)
        return fingerprint({key: value for key, value in content.items() if key not in NOT_HASHED})

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions, block by block."""
        return tuple(decision for own in self._decisions_by_block for decision in own)

    @cached_property
    def size(self) -> int:
        """The number of decision vectors; expansion ratios count for an mbconv only."""
        return prod(block.vectors(own) for block, own in zip(self.blocks, self._decisions_by_block, strict=True))

    @property
    def last_channel_choices(self) -> tuple[int, ...]:
        """Every width that can arrive at the head, ascending."""
        return self.blocks[-1].out_channel_choices

    def sample(self, rng: random.Random) -> Decisions:
        """A vector with every decision drawn uniformly."""
        return tuple(rng.randrange(count) for count in self._counts)

    def mutate(self, decisions: Decisions, rng: random.Random, probability: float) -> Decisions:
        """Replace every decision, with the given probability, by another of its choices."""
        return tuple(
            (index + rng.randrange(1, count)) % count if rng.random() < probability and count > 1 else index
            for index, count in zip(decisions, self._counts, strict=True)
        )

    def crossover(self, first: Decisions, second: Decisions, rng: random.Random) -> Decisions:
        """Take every decision from one of two parents, each with probability one half."""
        return tuple(pair[rng.random() < 0.5] for pair in zip(first, second, strict=True))

    def check(self, decisions: Sequence[int]) -> None:
        """Make sure of a decision vector from outside.

        Raises:
            InputError: the wrong number of decisions, or an index that is not a choice.
        """
        if len(decisions) != len(self.decisions):
            raise InputError(
                f"{self.source}: {len(decisions)} decisions: expected {len(self.decisions)}, "
                f"{self._width} for each of {len(self.blocks)} blocks"
            )
        for index, decision in zip(decisions, self.decisions, strict=True):
            if type(index) is not int or not 0 <= index < len(decision.choices):
                allowed = ", ".join(f"{number}: {option}" for number, option in enumerate(decision.options))
                raise InputError(f"{self.source}: {decision.name}: {index!r}: expected an index out of {{{allowed}}}")

    def parse(self, content: Any) -> Decisions:
        """The decision vector in JSON `content`: a list of indices, or of one list of indices per block.

        Raises:
            InputError: it is neither, or no vector of this space.
        """
        if not isinstance(content, list):
            raise InputError(f"{self.source}: decisions {content!r}: expected a list of indices")
        nested = bool(content) and all(isinstance(own, list) and len(own) == self._width for own in content)
        decisions = tuple(index for own in content for index in own) if nested else tuple(content)
        self.check(decisions)
        return decisions

    def canonical(self, decisions: Decisions) -> Decisions:
        """The vector of the same network in which choices without effect have index 0."""
        return self.encode(self.decode(decisions))

    def decode(self, decisions: Decisions) -> NetworkSpec:
        """The network of a vector that satisfies `check`."""
        searched = []
        width = self._first_channels
        for block in range(len(self.blocks)):
            layers = self.layers(block, width, decisions[block * self._width : (block + 1) * self._width])
            width = layers[-1].out_channels if layers else width
            searched.append(layers)
        return self._network((*self.fixed, *searched))

    def encode(self, spec: NetworkSpec) -> Decisions:
        """The canonical vector of a network.

        Raises:
            InputError: the network is not in this space.
        """
        if spec != self._network(spec.blocks) or len(spec.blocks) != len(self.fixed) + len(self.blocks):
            raise InputError(f"{self.source}: the network is not in this space: stem, head or number of blocks differ")
        if spec.blocks[: len(self.fixed)] != self.fixed:
            raise InputError(f"{self.source}: the network is not in this space: the fixed first block differs")
        decisions: Decisions = ()
        width = self._first_channels
        for block, layers in enumerate(spec.blocks[len(self.fixed) :]):
            own = self.vectors(block, width).get(layers) if width in self.blocks[block].in_channel_choices else None
            if own is None:
                raise InputError(f"{self.source}: the network is not in this space: block {block} differs")
            decisions += own
            width = layers[-1].out_channels if layers else width
        return decisions

    def layers(self, block: int, in_channels: int, decisions: Decisions) -> Layers:
        """The layers of one block for its own decisions, with `in_width` channels arriving."""
        key = (block, in_channels, decisions)
        if key not in self._layers:
            chosen = [own.choices[i] for own, i in zip(self._decisions_by_block[block], decisions, strict=True)]
            self._layers[key] = self.blocks[block].layers(in_channels, chosen)
        return self._layers[key]

    def vectors(self, block: int, in_channels: int) -> Mapping[Layers, Decisions]:
        """Everything one block may become after `in_width` channels, each with its first, canonical decisions."""
        key = (block, in_channels)
        if key not in self._vectors:
            table: dict[Layers, Decisions] = {}
            for decisions in product(*(range(len(own.choices)) for own in self._decisions_by_block[block])):
                table.setdefault(self.layers(block, in_channels, decisions), decisions)
            self._vectors[key] = table
        return self._vectors[key]

    def _network(self, blocks: tuple[Layers, ...]) -> NetworkSpec:
        return NetworkSpec(
            self.stem_channels, self.stem_stride, blocks, self.head_channels, self.num_classes, self.dropout
        )

    @cached_property
    def _decisions_by_block(self) -> tuple[tuple[Decision, ...], ...]:
        divide = DIVISIONS[self.kind]
        return tuple(divide(block, f"block{index}") for index, block in enumerate(self.blocks))

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        return tuple(len(decision.choices) for decision in self.decisions)

    @cached_property
    def _width(self) -> int:
        return len(self._decisions_by_block[0])

    @property
    def _first_channels(self) -> int:
        return self.blocks[0].in_channel_choices[0]

    @cached_property
    def _layers(self) -> dict[tuple[int, int, Decisions], Layers]:
        return {}

    @cached_property
    def _vectors(self) -> dict[tuple[int, int], dict[Layers, Decisions]]:
        return {}


def _with_hashed_names(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {HASHED_NAMES.get(name, name): value for name, value in fields}
