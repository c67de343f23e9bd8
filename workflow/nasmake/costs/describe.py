"""Describe one network for people: its costs, its origin, and its table as text.

scripts/describe_architecture.py calls these functions. The module imports core, costs.table and search_spaces; it loads
neither torch nor pydantic, so that the script starts fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError, shown
from nasmake.core.json_text import parse_json
from nasmake.costs.table import with_costs
from nasmake.search_spaces import Architecture, Convolution, NetworkSpec, OwnOperation
from nasmake.search_spaces.architecture_file import RUN
from nasmake.search_spaces.library import SPACES, architecture_file, edge_and_channels, load_space, read_architecture

BASIC = ("op", "depth", "kernel_size", "stride", "expand_ratio", "width", "se_ratio", "skip")  # columns of every table
KEPT_KEYS = ("name", "source", "state", "scores")  # keys of a file that its description repeats


@dataclass(frozen=True)
class Subject:
    """The network to describe.

    Attributes:
        architecture: the network.
        name: name of its file or search space; a data set's name in it determines the image size.
        facts: the content of its file.
    """

    architecture: Architecture
    name: str
    facts: Mapping[str, Any]


def from_decisions(
    text: str, space_path: Path, num_classes: int | None, own: Mapping[str, OwnOperation] | None = None
) -> Subject:
    """Return the network that a decision vector chooses in a search space.

    Args:
        text: the decisions as JSON.
        space_path: the space file.
        num_classes: number of classes; None: that of the space.
        own: operations of the user that may run, by name.

    Raises:
        InputError: the file is no search space, or the text is no vector of the space.
    """
    space = load_space(space_path, own)
    try:
        content = parse_json(text, "--decisions")
    except InputError as error:
        raise InputError(
            f"--decisions is {shown(text)}; expected JSON such as '[0, 0, 0, ...]', {error.problem}"
        ) from None
    architecture = Architecture.from_decisions(space.parse(content), space)
    architecture = architecture.with_classes(num_classes or space.num_classes)
    return Subject(architecture, space.name, {"input_size": space.input_size})


def from_file(
    name_or_file: str,
    space_path: Path | None,
    num_classes: int | None,
    root: Path,
    own: Mapping[str, OwnOperation] | None = None,
) -> Subject:
    """Return the network in an architecture file.

    Args:
        name_or_file: a path, or the name of a published network in config/architectures.
        space_path: the space file of its decisions; None: the shipped space of this name, if there is one.
        num_classes: number of classes; None: the file's `class_num`.
        root: the repository's root.
        own: operations of the user that may run, by name.

    Raises:
        InputError: there is no such file, it holds no network, or its decisions choose another network.
    """
    path = architecture_file(name_or_file, root)
    architecture, content = read_architecture(path, [] if space_path else [root / SPACES], num_classes, own)
    if space_path is not None:
        architecture.check_member(load_space(space_path, own), str(path))
    return Subject(architecture, f"{path.stem} {architecture.space}", content)


def describe(subject: Subject, input_size: int | None) -> dict[str, Any]:
    """Return the content of the network's file, with its costs, as JSON.

    Args:
        subject: the network.
        input_size: height and width of the images in pixels; None: from its file, its name or its number of classes.

    Raises:
        InputError: none of these tells the image size.
    """
    architecture, facts = subject.architecture, subject.facts
    edge, channels = edge_and_channels(subject.name, architecture.spec.num_classes)
    size = input_size or facts.get("input_size") or edge
    if size is None:
        raise InputError(
            f"{subject.name}: the input size of a network with {architecture.spec.num_classes} classes is unknown; "
            "type: --input-size N"
        )
    kept = {key: facts[key] for key in KEPT_KEYS if key in facts}
    return kept | with_costs(architecture, facts.get("channels") or channels, size)


def architecture_table(spec: NetworkSpec, content: Mapping[str, Any]) -> str:
    """Return a network as text: a table with one row per run of equal layers, and a line with its costs.

    Args:
        spec: the network.
        content: its description from `describe`.
    """
    parts = [("stem", _as_run(spec.stem(content["channels"])))]
    for index, block in enumerate(spec.readable()):
        parts += [(f"{index}", run) for run in (block if isinstance(block, list) else [block])]
    parts += [("head", _as_run(spec.head))] if spec.head_channels else []
    columns = [key for key in RUN if key in BASIC or any(key in run for _, run in parts)]
    rows = [["block", *columns], *([name, *(_cell(run.get(key, "")) for key in columns)] for name, run in parts)]
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    size, channels = content["input_size"], content["channels"]
    costs = f"{content['parameters']:,} parameters, {content['macs']:,} MACs"
    return "\n".join([*lines, f"{costs} for {channels}x{size}x{size} images of {spec.num_classes} classes"])


def _as_run(shape: Convolution) -> dict[str, Any]:
    """Return stem or head as a run of one layer."""
    run = {"op": "conv", "depth": 1, "kernel_size": shape.kernel_size, "stride": shape.stride, "expand_ratio": 1}
    activation = {} if shape.activation == "relu" else {"activation": shape.activation}
    return run | {"width": shape.out_channels} | activation


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
