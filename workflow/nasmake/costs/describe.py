"""One network for people: where it is from, what it costs, and its table. No torch and no pydantic here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.costs.table import with_costs
from nasmake.search_spaces import Architecture, NetworkSpec
from nasmake.search_spaces.architecture_file import RUN
from nasmake.search_spaces.library import SPACES, architecture_file, edge_and_channels, load_space, read_architecture

FROM_FILE = ("name", "source", "state", "scores")  # what is told of a file besides its network


@dataclass(frozen=True)
class Subject:
    """A network that was asked for.

    Attributes:
        name: of its file or search space; the data set in it tells what images it is for.
        facts: what its file says about it.
    """

    architecture: Architecture
    name: str
    facts: Mapping[str, Any]


def from_decisions(text: str, space_path: Path, num_classes: int | None) -> Subject:
    """The network that a vector chooses in a search space.

    Args:
        text: the decisions as JSON.
        space_path: the space file.
        num_classes: number of classes; None: the space's.

    Raises:
        InputError: the file is no space, or the text is none of its vectors.
    """
    space = load_space(space_path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"--decisions: {text}: not JSON ({error}); for example '[{', '.join('0' * 3)}, ...]'"
        ) from None
    chosen = Architecture.from_decisions(space.parse(content), space).with_classes(num_classes or space.num_classes)
    return Subject(chosen, space.name, {"input_size": space.input_size})


def from_file(name_or_file: str, space_path: Path | None, num_classes: int | None, root: Path) -> Subject:
    """The network in a file, or in a published one.

    Args:
        name_or_file: a path, or a name in config/architectures.
        space_path: the file of the space it was found in; None: the shipped one of that name, if there is one.
        num_classes: number of classes; None: the file's.
        root: the repository's root.

    Raises:
        InputError: there is no such file, or it holds no network.
    """
    path = architecture_file(name_or_file, root)
    architecture, content = read_architecture(path, [] if space_path else [root / SPACES], num_classes)
    if space_path is not None:
        architecture.check_member(load_space(space_path), str(path))
    return Subject(architecture, f"{path.stem} {architecture.space}", content)


def describe(subject: Subject, input_size: int | None) -> dict[str, Any]:
    """All that can be said about a network, as JSON.

    Args:
        subject: the network.
        input_size: edge of the images in pixels; None: what the file says, or its name or the classes tell.

    Raises:
        InputError: nothing tells the edge.
    """
    architecture, facts = subject.architecture, subject.facts
    edge, channels = edge_and_channels(subject.name, architecture.spec.num_classes)
    size = input_size or facts.get("input_size") or edge
    if size is None:
        raise InputError(
            f"{subject.name}: {architecture.spec.num_classes} classes tell no input size; type --input-size N"
        )
    observed = {key: facts[key] for key in FROM_FILE if key in facts}
    return observed | with_costs(architecture, facts.get("channels") or channels, size)


def architecture_table(spec: NetworkSpec, content: Mapping[str, Any]) -> str:
    """A network as text: its blocks in columns, and what `describe` said in a line."""
    rows = [
        ["block", *RUN],
        ["stem", "conv", "1", "3", f"{spec.stem_stride}", "1", f"{spec.stem_channels}"],
        *([f"{index}", *_cells(run)] for index, own in enumerate(spec.readable()) for run in _list(own)),
        ["head", "conv", "1", "1", "1", "1", f"{spec.head_channels}"],
    ]
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    size, channels = content["input_size"], content["channels"]
    costs = f"{content['parameters']:,} parameters, {content['macs']:,} MACs"
    return "\n".join([*lines, f"{costs} for {channels}x{size}x{size} images of {spec.num_classes} classes"])


def _cells(run: Mapping[str, Any]) -> list[str]:
    return [_text(run.get(key, "")) for key in RUN]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
