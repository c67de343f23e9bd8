"""One architecture: what the stages of the search pass on, and what `architecture.json` holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from nasmake.artifacts import InputError
from nasmake.search_spaces.space import Decisions, SearchSpace
from nasmake.search_spaces.spec import NetworkSpec


@dataclass(frozen=True)
class Architecture:
    """A network together with the decisions that chose it.

    Attributes:
        space: name of the search space.
        space_hash: `SearchSpace.hash`; decisions mean nothing without it.
    """

    space: str
    space_hash: str
    decisions: Decisions
    spec: NetworkSpec

    @classmethod
    def from_decisions(cls, decisions: Decisions, space: SearchSpace) -> Self:
        """The architecture of a decision vector.

        Raises:
            InputError: the vector is not in the space.
        """
        space.check(decisions)
        return cls(space.name, space.hash, decisions, space.decode(decisions))

    def to_json(self) -> dict[str, Any]:
        """What identifies the architecture, and its blocks for people."""
        return {
            "space": self.space,
            "space_hash": self.space_hash,
            "decisions": list(self.decisions),
            "blocks": self.spec.readable(),
            "string": self.spec.string(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], space: SearchSpace) -> Self:
        """Read what `to_json` wrote; further keys are ignored, and the network comes from the decisions alone.

        Raises:
            InputError: a key is missing, the architecture belongs to another space, or its decisions are none of it.
        """
        for key in ("space", "space_hash", "decisions"):
            if key not in content:
                raise InputError(f"architecture of {space.name}: {key}: missing")
        if content["space_hash"] != space.hash:
            raise InputError(
                f"architecture of the space {content['space']} ({content['space_hash']}): "
                f"expected {space.name} ({space.hash}) as in {space.source}"
            )
        return cls.from_decisions(space.parse(content["decisions"]), space)
