"""One architecture: what the stages pass on, and what `architecture.json` and hand-written files hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from nasmake.core.errors import InputError
from nasmake.search_spaces.architecture_file import MEMBERSHIP, parse_network
from nasmake.search_spaces.space import Decisions, SearchSpace
from nasmake.search_spaces.spec import NetworkSpec


@dataclass(frozen=True)
class Architecture:
    """A network and, if it was chosen in a search space, the decisions that chose it.

    Attributes:
        space: name of the search space; None, as the next two, for a network outside of any.
        space_hash: `SearchSpace.hash`; decisions mean nothing without it.
    """

    spec: NetworkSpec
    space: str | None = None
    space_hash: str | None = None
    decisions: Decisions | None = None

    @classmethod
    def from_decisions(cls, decisions: Decisions, space: SearchSpace) -> Self:
        """The architecture of a decision vector.

        Raises:
            InputError: the vector is not in the space.
        """
        space.check(decisions)
        return cls(space.decode(decisions), space.name, space.hash, decisions)

    def with_classes(self, num_classes: int) -> Self:
        """The same with another number of classes."""
        return replace(self, spec=replace(self.spec, num_classes=num_classes))

    def to_json(self) -> dict[str, Any]:
        """Everything: `from_json` makes an equal architecture of it."""
        spec = self.spec
        content = {
            "stem": {"width": spec.stem_channels, "stride": spec.stem_stride},
            "blocks": spec.readable(),
            "head": {"width": spec.head_channels},
            "class_num": spec.num_classes,
            "dropout": spec.dropout,
            "string": spec.string(),
        }
        if self.decisions is None:
            return content
        return content | {"space": self.space, "space_hash": self.space_hash, "decisions": list(self.decisions)}

    @classmethod
    def from_json(cls, content: Any, source: str, num_classes: int | None = None) -> Self:
        """Read a file; the network comes from its blocks. Whether decisions mean the same, `check_member` tells.

        Args:
            content: what the file holds.
            source: its name, for messages.
            num_classes: number of classes; None: the file's.

        Raises:
            InputError: one line with file, block, key, value and what is allowed.
        """
        spec = parse_network(content, source, num_classes)
        given = [key for key in MEMBERSHIP if key in content]
        if not given:
            return cls(spec)
        for key in MEMBERSHIP:
            if key not in given:
                raise InputError(f"{source}: {key}: missing; {', '.join(MEMBERSHIP)} belong together")
        return cls(spec, *_membership(content, source))

    def check_member(self, space: SearchSpace, source: str) -> None:
        """Make sure that the decisions of the file called `source` mean its blocks in `space`.

        Raises:
            InputError: they belong to another space, are none of it, or choose another network.
        """
        undo = f"or remove {', '.join(MEMBERSHIP)} from the file, which then stands for its blocks alone"
        if self.space_hash != space.hash:
            raise InputError(
                f"{source}: space_hash: {self.space_hash}: {space.source} has {space.hash}; "
                f"give the space file of its decisions (nas.search_space_config_path, --search-space), {undo}"
            )
        chosen = space.decode(space.parse(list(self.decisions or ())))
        if replace(chosen, num_classes=self.spec.num_classes) != self.spec:
            raise InputError(
                f"{source}: decisions: in {space.source} they choose another network; correct them, {undo}"
            )


def _membership(content: Mapping[str, Any], source: str) -> tuple[str, str, Decisions]:
    space, space_hash, decisions = (content[key] for key in MEMBERSHIP)
    for key, value in (("space", space), ("space_hash", space_hash)):
        if not isinstance(value, str):
            raise InputError(f"{source}: {key}: {value}: expected text")
    if not isinstance(decisions, list) or any(type(index) is not int for index in decisions):
        raise InputError(f"{source}: decisions: {decisions}: expected a list of indices")
    return space, space_hash, tuple(decisions)
