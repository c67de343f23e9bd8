"""Describe a search space for people: how many networks it has, what they cost, and how long its supernet trains.

scripts/describe_search_space.py calls these functions. The module imports core, costs.table and search_spaces; it loads
neither torch nor pydantic, so that the script starts fast.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import edge_and_channels

DRAWN = 5_000  # random vectors; a share of them has a standard error of at most .007
PERCENTILES = (5, 50, 95)
BARS, LONGEST_BAR = 10, 40


def describe_space(space: SearchSpace, input_size: int | None, limits: Mapping[str, int]) -> dict[str, Any]:
    """Return the facts about a search space as JSON.

    Shares and percentiles are those of DRAWN decision vectors, drawn uniformly as the sampler `uniform` draws them.

    Args:
        space: the search space.
        input_size: height and width of the images in pixels; None: from the file, its name or its number of classes.
        limits: largest value by metric, `macs` or `parameters`.

    Raises:
        InputError: none of these tells the image size.
    """
    edge, channels = edge_and_channels(space.name, space.num_classes)
    size = input_size or space.input_size or edge
    if size is None:
        raise InputError(f"{space.source}: the size of the images is unknown; type: --input-size N")
    costs, rng = CostTable(space, channels, size), python_random(0, "describe_search_space")
    drawn = [costs.of(space.sample(rng)) for _ in range(DRAWN)]
    return {
        "name": space.name,
        "input_size": size,
        "channels": channels,
        "classes": space.num_classes,
        "decisions": len(space.decisions),
        "most_options": max(len(decision.choices) for decision in space.decisions),
        "vectors": space.size,
        "networks": space.num_networks,
        "costs": {metric: _range_of(costs, metric, sorted(one[metric] for one in drawn)) for metric in costs.metrics},
        "within": {
            metric: {"limit": limit, "share": sum(one[metric] <= limit for one in drawn) / DRAWN}
            for metric, limit in limits.items()
        },
    }


def _range_of(costs: CostTable, metric: Any, drawn: Sequence[float]) -> dict[str, Any]:
    """Return extremes, percentiles and histogram of one metric; `drawn` has the costs of random networks, ascending."""
    extremes = {"smallest": costs.cheapest(metric), "largest": costs.costliest(metric)}
    values = {name: costs.of(decisions)[metric] for name, decisions in extremes.items()}
    low, high = values["smallest"], values["largest"]
    edges = [low + (high - low) * bar / BARS for bar in range(1, BARS)]
    counts = [0, *(bisect_right(drawn, edge) for edge in edges), len(drawn)]
    return {
        **values,
        "percentiles": {f"{percent}": drawn[len(drawn) * percent // 100] for percent in PERCENTILES},
        "histogram": [(after - before) / len(drawn) for before, after in pairwise(counts)],
        "architectures": {name: costs.space.decode(decisions).string() for name, decisions in extremes.items()},
    }


def space_table(content: Mapping[str, Any]) -> str:
    """Return a search space as text: its size, ranges and histograms of its costs, and its extreme networks.

    Args:
        content: its description from `describe_space`.
    """
    size, channels = content["input_size"], content["channels"]
    lines = [
        f"{content['name']}: {_number(content['networks'])} networks, {content['decisions']} decisions with up to "
        f"{content['most_options']} options, for {channels}x{size}x{size} images of {content['classes']} classes",
    ]
    for metric, facts in content["costs"].items():
        low, high = facts["smallest"], facts["largest"]
        percentiles = ", ".join(f"{percent} %: {value:,}" for percent, value in facts["percentiles"].items())
        lines += ["", f"{metric}: {low:,} to {high:,}; of random networks, {percentiles}"]
        for bar, share in enumerate(facts["histogram"]):
            begin, end = (round(low + (high - low) * edge / BARS) for edge in (bar, bar + 1))
            width = round(LONGEST_BAR * share / max(facts["histogram"]))
            lines.append(f"{begin:>15,} .. {end:<15,} {'#' * width:<{LONGEST_BAR}} {share:6.1%}")
    lines += ["", *(f"{name} by MACs: {text}" for name, text in content["costs"]["macs"]["architectures"].items())]
    lines += [f"within {key} <= {one['limit']:,}: {one['share']:.1%}" for key, one in content["within"].items()]
    return "\n".join(lines)


def _number(value: int) -> str:
    return f"{value:,}" if value < 10**9 else f"{value:.2e}"
