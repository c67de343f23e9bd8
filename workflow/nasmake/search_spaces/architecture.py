"""One architecture: the network that the stages pass on, and the content of its file `architecture.json`.

Reading the blocks of a file lives in architecture_file.py, finding files by name in library.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from nasmake.core.errors import InputError
from nasmake.search_spaces.architecture_file import MEMBERSHIP, parse_network
from nasmake.search_spaces.own_operations import OwnOperation
from nasmake.search_spaces.space import Decisions, SearchSpace
from nasmake.search_spaces.spec import NetworkSpec
from nasmake.search_spaces.value_rules import checked

# Keys of the file that it has only where a network differs from the default, with the fields of NetworkSpec.
STEM = {"kernel_size": "stem_kernel_size", "activation": "stem_activation"}
HEAD = {"activation": "head_activation"}
NORMALISATION = {"bn_eps": "bn_eps", "bn_momentum": "bn_momentum"}


@dataclass(frozen=True)
class Architecture:
    """A network and, if a search chose it in a search space, the decisions that choose it.

    Attributes:
        spec: the network.
        space: name of the search space. A network outside of any space has None here and in the next two attributes.
        space_hash: `SearchSpace.hash` of that space. Decisions mean nothing without it.
        decisions: one index per decision of the space.
    """

    spec: NetworkSpec
    space: str | None = None
    space_hash: str | None = None
    decisions: Decisions | None = None

    @classmethod
    def from_decisions(cls, decisions: Decisions, space: SearchSpace) -> Self:
        """Return the architecture that a decision vector chooses.

        Raises:
            InputError: the vector is not in the space.
        """
        space.check(decisions)
        return cls(space.decode(decisions), space.name, space.hash, decisions)

    def with_classes(self, num_classes: int) -> Self:
        """Return the same architecture with another number of classes."""
        return replace(self, spec=replace(self.spec, num_classes=num_classes))

    def to_json(self) -> dict[str, Any]:
        """Return the whole architecture as JSON; `from_json` reads an equal architecture from it."""
        spec = self.spec
        content: dict[str, Any] = {
            "stem": {"width": spec.stem_channels, "stride": spec.stem_stride} | _other(spec, STEM),
            "blocks": spec.readable(),
            "head": {"width": spec.head_channels} | _other(spec, HEAD) if spec.head_channels else None,
            "class_num": spec.num_classes,
            "dropout": spec.dropout,
            "string": spec.string(),
        } | _other(spec, NORMALISATION)
        if spec.head_channels and spec.head_after_pooling:
            content["head"] |= {"position": "after_pooling"} | ({} if spec.head_bias else {"bias": False})
        if own := spec.own_operations:
            file = own[0].file
            content["operations"] = {"file": file.path, "sha256": file.sha256, "names": list(file.names)}
        if self.decisions is None:
            return content
        return content | {"space": self.space, "space_hash": self.space_hash, "decisions": list(self.decisions)}

    @classmethod
    def from_json(
        cls,
        content: Any,
        source: str,
        num_classes: int | None = None,
        own: Mapping[str, OwnOperation] | None = None,
    ) -> Self:
        """Read an architecture from the content of its file. The network comes from the blocks alone.

        `check_member` tests whether the decisions choose the same network.

        Args:
            content: what the file holds.
            source: the file's name, for errors.
            num_classes: number of classes; None: the file's `class_num`.
            own: operations of the user that may run, by name; None: those that the file names, which may not run.

        Raises:
            InputError: one line with file, block, key, value and the allowed values.
        """
        spec = parse_network(content, source, num_classes, own)
        if not MEMBERSHIP.keys() & content.keys():
            return cls(spec)
        for key in MEMBERSHIP:
            if key not in content:
                raise InputError(f"{source}: {key} is missing; expected all of {', '.join(MEMBERSHIP)}, or none")
        space, space_hash, decisions = (
            checked(content[key], rule, f"{source}: {key}") for key, rule in MEMBERSHIP.items()
        )
        return cls(spec, space, space_hash, tuple(decisions))

    def check_member(self, space: SearchSpace, source: str) -> None:
        """Check that the decisions choose this network in `space`.

        Args:
            space: the search space.
            source: name of the architecture's file, for errors.

        Raises:
            InputError: they belong to another space, are not in `space`, or choose another network.
        """
        remedy = f"or remove {', '.join(MEMBERSHIP)} from the file to keep the network of its blocks"
        if self.space_hash != space.hash:
            raise InputError(
                f"{source}: space_hash is {self.space_hash}; expected {space.hash}, the hash of {space.source}; "
                f"give the space file of the decisions (nas.search_space_config_path, --search-space), {remedy}"
            )
        member = space.decode(space.parse(list(self.decisions or ())))
        if replace(member, num_classes=self.spec.num_classes) != self.spec:
            raise InputError(
                f"{source}: decisions choose another network in {space.source}; correct the decisions, {remedy}"
            )


def _other(spec: NetworkSpec, names: dict[str, str]) -> dict[str, Any]:
    """Return those of the named fields that differ from their defaults, under their keys in the file."""
    defaults = {field.name: field.default for field in fields(spec)}
    return {key: value for key, name in names.items() if (value := getattr(spec, name)) != defaults[name]}
