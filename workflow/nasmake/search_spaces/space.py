"""A search space: its decisions, and the conversion between decision vectors and networks.

Reading a space file lives in space_file.py, the choices of one block in blocks.py. Imports core and its own room only.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import chain, product
from math import prod
from typing import Any, Self

from nasmake.core.errors import InputError, cut
from nasmake.core.files import fingerprint
from nasmake.search_spaces.blocks import Block, Decision, joint_decisions, separate_decisions
from nasmake.search_spaces.own_operations import OwnOperation, operations_of
from nasmake.search_spaces.space_file import FRAME, parse_space_file
from nasmake.search_spaces.spec import LayerSpec, NetworkSpec
from nasmake.search_spaces.value_rules import fail

Decisions = tuple[int, ...]
Layers = tuple[LayerSpec, ...]
CACHED = 2**16  # canonical vectors that are kept
NOT_HASHED = {"name", "source", "input_size", "num_classes"}
# The hash contains the field names of the first release, so that the hashes in old files stay valid.
HASHED_NAMES = {
    "stem_channels": "stem_width",
    "head_channels": "head_width",
    "in_channels": "in_width",
    "out_channels": "out_width",
    "se_channels": "se_width",
    "in_channel_choices": "in_widths",
}
LATER = {  # defaults of fields that later releases added; the hash does not contain them
    "activation": ("relu", ("relu",)),
    "se_activation": ("relu",),
    "se_gate": ("sigmoid",),
    "style": ((),),
    "frame": ((),),
}
DIVISIONS = {"proxyless": joint_decisions, "mnasnet": separate_decisions}


@dataclass(frozen=True)
class SearchSpace:
    """A space of networks. A decision vector has one index per decision and chooses one network.

    Attributes:
        name: for people; the hash does not contain it.
        source: the file's name, for errors.
        kind: `proxyless`, with one decision per block, or `mnasnet`, with seven decisions per block.
        fixed: blocks between the stem and the first searched block.
        blocks: the searched blocks.
        dropout: dropout probability before the classifier, in [0, 1).
        input_size: height and width of the images in pixels; None if the file does not give them.
        frame: fields of NetworkSpec that the file gives, with their values: stem, head and normalisation.
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
    frame: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], source: str | None = None) -> Self:
        """Build the space that a study or a stage received.

        Args:
            settings: name and content of the space file and, with nas.operations, what its operations are.
            source: the file's name, for errors; None: the space's name.

        Raises:
            InputError: one line with file, key, block, value and the allowed values.
        """
        own = operations_of(settings.get("operations"), may_run=True)
        return cls.from_mapping(settings["content"], settings["name"], source or settings["name"], own)

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], name: str, source: str, own: Mapping[str, OwnOperation] | None = None
    ) -> Self:
        """Build the space from the parsed content of a space file.

        A file with `settings.first_mbconv_filter_size` is a `proxyless` space, any other an `mnasnet` space.

        Args:
            mapping: what the file holds.
            name: the space's name.
            source: the file's name, for errors.
            own: operations that a user wrote, by name.

        Raises:
            InputError: one line with file, key, block, value and the allowed values.
        """
        file = parse_space_file(mapping, source, own or {})
        settings = file.settings
        stem, first = settings["first_conv_filter_size"], settings["first_mbconv_filter_size"]
        if first is None:
            _check_separate(file.blocks, source)
        return cls(
            name=name,
            source=source,
            kind="mnasnet" if first is None else "proxyless",
            stem_channels=stem,
            stem_stride=settings["first_conv_stride"],
            fixed=() if first is None else ((_first_layer(settings),),),
            blocks=file.blocks,
            head_channels=settings["last_ch"],
            num_classes=settings["class_num"],
            dropout=float(settings["dropout"]),
            input_size=settings["input_size"],
            frame=tuple((name, settings[key]) for key, name in FRAME.items() if key in settings),
        )

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of everything that the meaning of decisions depends on.

        It includes the checksum of the file of a user's operations. The number of classes is not part of the hash,
        because it belongs to the data set.
        """
        content = asdict(
            self,
            dict_factory=lambda items: {
                HASHED_NAMES.get(name, name): value for name, value in items if value not in LATER.get(name, ())
            },
        )
        hashed = {key: value for key, value in content.items() if key not in NOT_HASHED}
        files = {operation.file.sha256 for operation in self.own_operations}
        return fingerprint(hashed, *sorted(files))

    @property
    def own_operations(self) -> list[OwnOperation]:
        """The operations of a user among the choices of the blocks, which can occur several times."""
        return [name for block in self.blocks for name in block.op if isinstance(name, OwnOperation)]

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions, block by block."""
        return tuple(chain.from_iterable(self._decisions_by_block))

    @cached_property
    def size(self) -> int:
        """The number of decision vectors; different expansion ratios count for an mbconv only."""
        return prod(map(Block.count_vectors, self.blocks, self._decisions_by_block))

    @cached_property
    def num_networks(self) -> int:
        """The number of distinct networks: less than `size` if some choices have no effect beside others."""
        reached = {self._first_channels: 1}  # numbers of networks by their channels so far
        for block in range(len(self.blocks)):
            leaving: dict[int, int] = {}
            for channels, count in reached.items():
                for layers in self.vectors(block, channels):
                    out_channels = layers[-1].out_channels if layers else channels
                    leaving[out_channels] = leaving.get(out_channels, 0) + count
            reached = leaving
        return sum(reached.values())

    @property
    def last_channel_choices(self) -> tuple[int, ...]:
        """Every number of channels that can arrive at the head, ascending."""
        return self.blocks[-1].out_channel_choices

    def sample(self, rng: random.Random) -> Decisions:
        """Draw every decision uniformly and independently."""
        return tuple(rng.randrange(count) for count in self._counts)

    def mutate(self, decisions: Decisions, rng: random.Random, probability: float) -> Decisions:
        """Replace each decision with the given probability by another of its choices, drawn uniformly."""
        return tuple(
            (index + rng.randrange(1, count)) % count if rng.random() < probability and count > 1 else index
            for index, count in zip(decisions, self._counts, strict=True)
        )

    def crossover(self, first: Decisions, second: Decisions, rng: random.Random) -> Decisions:
        """Take each decision from one of two parents, each with probability one half.

        A decision without effect in one parent, such as the kernel of a block that is skipped, comes from the other.
        """
        idle = zip(self._idle(first), self._idle(second), strict=True)
        is_second = (one if one != two else rng.random() < 0.5 for one, two in idle)
        return tuple(pair[index] for pair, index in zip(zip(first, second, strict=True), is_second, strict=True))

    def check(self, decisions: Sequence[int]) -> None:
        """Check a decision vector that a user or a file gave.

        Raises:
            InputError: it has the wrong number of decisions, or an index that is not a choice.
        """
        if len(decisions) != len(self.decisions):
            raise InputError(
                f"{self.source}: number of decisions is {len(decisions)}; expected {len(self.decisions)}, "
                f"{self._decisions_per_block} for each of {len(self.blocks)} blocks"
            )
        for index, decision in zip(decisions, self.decisions, strict=True):
            if type(index) is not int or not 0 <= index < len(decision.choices):
                allowed = ", ".join(f"{number}: {option}" for number, option in enumerate(decision.options))
                fail(f"{self.source}: {decision.name}", index, f"an index: {cut(allowed, 1000)}")

    def parse(self, content: Any) -> Decisions:
        """Return the decision vector in JSON content: a list of indices, or a list with one such list per block.

        Raises:
            InputError: the content is neither, or the vector is not in this space.
        """
        if not isinstance(content, list):
            fail(f"{self.source}: decisions", content, "a list of indices")
        per_block = [isinstance(entry, list) and len(entry) == self._decisions_per_block for entry in content]
        decisions = tuple(chain.from_iterable(content)) if content and all(per_block) else tuple(content)
        self.check(decisions)
        return decisions

    def canonical(self, decisions: Decisions) -> Decisions:
        """Return the vector of the same network in which choices without effect have index 0."""
        return self._canonical(decisions)

    def decode(self, decisions: Decisions) -> NetworkSpec:
        """Return the network of a vector that satisfies `check`."""
        blocks = [*self.fixed]
        channels, count = self._first_channels, self._decisions_per_block
        for block in range(len(self.blocks)):
            layers = self.layers(block, channels, decisions[block * count : (block + 1) * count])
            channels = layers[-1].out_channels if layers else channels
            blocks.append(layers)
        return self._network(tuple(blocks))

    def encode(self, spec: NetworkSpec) -> Decisions:
        """Return the canonical vector of a network.

        Raises:
            InputError: the network is not in this space.
        """
        where = f"{self.source}: the network is not in this space"
        if spec != self._network(spec.blocks) or len(spec.blocks) != len(self.fixed) + len(self.blocks):
            raise InputError(f"{where}; stem, head or number of blocks differ")
        if spec.blocks[: len(self.fixed)] != self.fixed:
            raise InputError(f"{where}; the fixed first block differs")
        decisions: Decisions = ()
        channels = self._first_channels
        for block, layers in enumerate(spec.blocks[len(self.fixed) :]):
            is_possible = channels in self.blocks[block].in_channel_choices
            block_decisions = self.vectors(block, channels).get(layers) if is_possible else None
            if block_decisions is None:
                raise InputError(f"{where}; block {block} differs")
            decisions += block_decisions
            channels = layers[-1].out_channels if layers else channels
        return decisions

    def layers(self, block: int, in_channels: int, decisions: Decisions) -> Layers:
        """Return the layers of one block.

        Args:
            block: index of the block among the searched blocks.
            in_channels: channels that arrive at the block.
            decisions: the indices of this block's decisions.
        """
        key = (block, in_channels, decisions)
        if key not in self._layers:
            pairs = zip(self._decisions_by_block[block], decisions, strict=True)
            choices = [decision.choices[index] for decision, index in pairs]
            self._layers[key] = self.blocks[block].layers(in_channels, choices)
        return self._layers[key]

    def vectors(self, block: int, in_channels: int) -> Mapping[Layers, Decisions]:
        """Return all stacks of layers that one block can have, each with its first, canonical decisions.

        Args:
            block: index of the block among the searched blocks.
            in_channels: channels that arrive at the block.
        """
        key = (block, in_channels)
        if key not in self._vectors:
            table: dict[Layers, Decisions] = {}
            counts = [range(len(decision.choices)) for decision in self._decisions_by_block[block]]
            for decisions in product(*counts):
                table.setdefault(self.layers(block, in_channels, decisions), decisions)
            self._vectors[key] = table
        return self._vectors[key]

    def _idle(self, decisions: Decisions) -> list[bool]:
        """Return for each decision whether every choice of it would give the same network."""
        if decisions not in self._idle_decisions:
            idle: list[bool] = []
            channels = self._first_channels
            for block, divided in enumerate(self._decisions_by_block):
                own = decisions[len(idle) : len(idle) + len(divided)]
                layers = self.layers(block, channels, own)
                for place, decision in enumerate(divided):
                    others = ((*own[:place], index, *own[place + 1 :]) for index in range(len(decision.choices)))
                    idle.append(all(self.layers(block, channels, other) == layers for other in others))
                channels = layers[-1].out_channels if layers else channels
            self._idle_decisions[decisions] = idle
        return self._idle_decisions[decisions]

    def _network(self, blocks: tuple[Layers, ...]) -> NetworkSpec:
        return NetworkSpec(
            self.stem_channels,
            self.stem_stride,
            blocks,
            self.head_channels,
            self.num_classes,
            self.dropout,
            **dict(self.frame),
        )

    @cached_property
    def _canonical(self) -> Callable[[Decisions], Decisions]:
        """The canonical vector of a vector; searches ask for the same ones again and again."""
        return lru_cache(CACHED)(lambda decisions: self.encode(self.decode(decisions)))

    @cached_property
    def _decisions_by_block(self) -> tuple[tuple[Decision, ...], ...]:
        divide = DIVISIONS[self.kind]
        return tuple(divide(block, f"block{index}") for index, block in enumerate(self.blocks))

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        return tuple(len(decision.choices) for decision in self.decisions)

    @cached_property
    def _decisions_per_block(self) -> int:
        return len(self._decisions_by_block[0])

    @property
    def _first_channels(self) -> int:
        return self.blocks[0].in_channel_choices[0]

    @cached_property
    def _idle_decisions(self) -> dict[Decisions, list[bool]]:
        return {}

    @cached_property
    def _layers(self) -> dict[tuple[int, int, Decisions], Layers]:
        return {}

    @cached_property
    def _vectors(self) -> dict[tuple[int, int], dict[Layers, Decisions]]:
        return {}


def _first_layer(settings: Mapping[str, Any]) -> LayerSpec:
    """Return the fixed layer between the stem and the first searched block of a proxyless space."""
    stem, first = settings["first_conv_filter_size"], settings["first_mbconv_filter_size"]
    residual = settings.get("first_mbconv_skip", False) and stem == first
    activation = settings.get("first_mbconv_activation", "relu")
    return LayerSpec("sepconv", 3, 1, stem, first, stride=1, residual=residual, activation=activation)


def _check_separate(blocks: Sequence[Block], source: str) -> None:
    """Check that a mnasnet space fixes the activation: its blocks have one decision per field of the first release.

    Raises:
        InputError: a block has several activations.
    """
    for index, block in enumerate(blocks):
        if len(block.activation) > 1:
            raise InputError(
                f"{source}: search_range.activation of block {index} has {len(block.activation)} choices; expected one "
                "without settings.first_mbconv_filter_size, which makes the space proxyless"
            )
