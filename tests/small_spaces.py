"""The shipped search spaces, and small search spaces for tests."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml
from hypothesis import strategies as st
from nasmake.costs.table import CostTable
from nasmake.costs.units import units_of_space
from nasmake.search_spaces import SearchSpace

FOLDER = Path(__file__).parents[1] / "config" / "search_spaces"
SHIPPED = sorted(path.stem.removeprefix("config_") for path in FOLDER.glob("config_*.yaml"))


@cache
def _content(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"config_{name}.yaml").read_text())


def content(name: str) -> dict[str, Any]:
    """Return a copy of a shipped file's content, which the caller may change."""
    return deepcopy(_content(name))


@cache
def shipped(name: str) -> SearchSpace:
    return SearchSpace.from_mapping(_content(name), name, f"config_{name}.yaml")


def small(**changes: Any) -> dict[str, Any]:
    """Return a space file with three MnasNet blocks and every operation; `changes` replace keys of both sections."""
    search_range = {
        "kernel_size": [3, 5],
        "base_layer_num": [1, 2, 2],
        "layer_search_range": [-1, 0],
        "base_filter_size": [8, 8, 12],
        "filter_size_search_ratio": [0.75, 1.0],
        "conv_ops": ["Zero", "Conv", "SepConv", "MBConv"],
        "expansion_ratio": [2, 3],
        "skip_ops": ["no_skip", "skip"],
        "se_ratio": [0, 0.25],
    }
    settings = {"class_num": 5, "strides": [1, 1, 2], "first_conv_filter_size": 8, "last_ch": 16}
    for key, value in changes.items():
        (search_range if key in search_range else settings)[key] = value
    return {"search_range": search_range, "settings": settings}


def build(mapping: dict[str, Any], name: str = "made_up") -> SearchSpace:
    return SearchSpace.from_mapping(mapping, name, f"{name}.yaml")


def made_up_latency(space: SearchSpace, in_channels: int, input_size: int) -> dict[str, int]:
    """Return nanoseconds of every profiled unit, unrelated to its size: the fastest network is not the smallest."""
    return {key: 20_000 + crc32(key.encode()) % 200_000 for key in units_of_space(space, in_channels, input_size)}


def table_with_latency(space: SearchSpace, in_channels: int, input_size: int) -> CostTable:
    return CostTable(space, in_channels, input_size, made_up_latency(space, in_channels, input_size))


def latency_file(space: SearchSpace, in_channels: int, input_size: int) -> dict[str, Any]:
    """Return the content of a latency table's file with the values of `made_up_latency`."""
    entries = {key: {"median_ms": ns / 1e6} for key, ns in made_up_latency(space, in_channels, input_size).items()}
    shape = [input_size, input_size, in_channels]
    return {"space": space.name, "space_hash": space.hash, "image_shape": shape, "entries": entries}


def _some(choices: list[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=most, unique=True)


@st.composite
def made_up(draw: st.DrawFn) -> SearchSpace:
    """Draw a space of either kind with up to three blocks; one list of choices may differ from block to block."""
    count = draw(st.integers(1, 3))
    lists = {
        "kernel_size": _some([1, 3, 5]),
        "layer_search_range": _some([0, 1]),
        "filter_size_search_ratio": _some([0.5, 0.75, 1.0, 1.25]),
        "conv_ops": _some(["Conv", "SepConv", "MBConv"]).map(lambda ops: ["Zero", *ops]),
        "expansion_ratio": _some([1, 2, 3]),
        "skip_ops": _some(["skip", "no_skip"]),
        "se_ratio": _some([0, 0.25, 0.3]),
    }
    varied = draw(st.sampled_from([None, *lists]))
    per_block = {
        key: draw(st.lists(choices, min_size=count, max_size=count) if key == varied else choices)
        for key, choices in lists.items()
    }
    changes = {
        "base_layer_num": draw(st.lists(st.integers(1, 2), min_size=count, max_size=count)),
        "base_filter_size": draw(st.lists(st.sampled_from([4, 6]), min_size=count, max_size=count)),
        "strides": draw(st.lists(st.integers(1, 2), min_size=count, max_size=count)),
        "first_conv_filter_size": draw(st.sampled_from([4, 6])),
        "first_conv_stride": draw(st.integers(1, 2)),
    }
    if draw(st.booleans()):
        changes["first_mbconv_filter_size"] = 4
    return build(small(**per_block, **changes))
