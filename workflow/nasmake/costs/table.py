"""Costs of networks: parameters and multiply-adds (MACs) by formula, latency by a table of measured units.

Parameters are the learnable ones. MACs are the multiply-adds of convolutions and linear layers for one image, those of
squeeze and excitation included; normalisation, activation, pooling and biases are not counted. FLOPs = 2 MACs.
Operations that a user wrote are counted by torch or by their own formula, see own_costs.py. The
latency of a network is the sum of the medians of its profiled units. Reading the table's file lives in
latency_table.py, the units in units.py, the expectation over random decisions in expected.py.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from nasmake.core.errors import InputError
from nasmake.costs.own_costs import own_macs, own_parameters
from nasmake.costs.units import Layout, ProfiledUnit, in_order, output_size, units_of_network
from nasmake.search_spaces import Architecture, Decisions, LayerSpec, NetworkSpec, SearchSpace

Metric = Literal["macs", "parameters", "latency_ms"]
METRICS: tuple[Metric, ...] = ("macs", "parameters", "latency_ms")
Cost = tuple[int, int, int]  # in the order of METRICS; latency in nanoseconds, 0 without a table
ANY_SIZE = 1024  # pixels of images for which only parameters are counted; large enough for any operation of a user
NANOSECONDS = 10**6  # of a millisecond; sums of whole nanoseconds depend on no order, so equal networks cost the same


def count_parameters(spec: NetworkSpec, in_channels: int) -> int:
    """Return the learnable parameters of a network for images with `in_channels` channels."""
    return _sum(units_of_network(spec, in_channels, ANY_SIZE))[1]


def count_macs(spec: NetworkSpec, in_channels: int, input_size: int) -> int:
    """Return the multiply-adds of a network for one image of `input_size` x `input_size` pixels."""
    return _sum(units_of_network(spec, in_channels, input_size))[0]


def with_costs(architecture: Architecture, in_channels: int, input_size: int) -> dict[str, Any]:
    """Return the content of an architecture's file with its costs for images of this size.

    Args:
        architecture: the architecture.
        in_channels: channels of the images.
        input_size: height and width of the images in pixels.
    """
    return architecture.to_json() | {
        "input_size": input_size,
        "channels": in_channels,
        "parameters": count_parameters(architecture.spec, in_channels),
        "macs": count_macs(architecture.spec, in_channels, input_size),
    }


class CostTable:
    """Exact costs of a space's networks by look-up, for more than 10^5 networks per second.

    The cost of a block depends on its decisions and on the channels that arrive at it; each such pair is computed once.
    Decision vectors are not checked.

    Args:
        space: the search space.
        in_channels: channels of the images.
        input_size: height and width of the images in pixels.
        latency: nanoseconds of every profiled unit of the space by its key, from `read_latency`; None: unknown.

    Attributes:
        space: the search space.
        metrics: the metrics that the table knows.
    """

    def __init__(
        self, space: SearchSpace, in_channels: int, input_size: int, latency: Mapping[str, int] | None = None
    ) -> None:
        self.metrics = METRICS if latency is not None else METRICS[:2]
        begin, sizes, ends = Layout.of(space, in_channels, input_size)
        self.space = space
        self._first_channels = space.blocks[0].in_channel_choices[0]
        self._begin = _sum(begin, latency)
        self._blocks = [
            {channels: _BlockCosts(space, index, channels, size, latency) for channels in block.in_channel_choices}
            for index, (block, size) in enumerate(zip(space.blocks, sizes, strict=True))
        ]
        self._ends = {channels: _sum([unit], latency) for channels, unit in ends.items()}
        count = len(space.decisions) // len(space.blocks)
        self._slices = [slice(index * count, (index + 1) * count) for index in range(len(space.blocks))]

    def macs(self, decisions: Decisions) -> int:
        """Return the multiply-adds of the network that the vector chooses."""
        return self._total(decisions)[0]

    def of(self, decisions: Decisions) -> dict[str, float]:
        """Return all costs that the table knows, by metric."""
        macs, parameters, nanoseconds = self._total(decisions)
        known: dict[str, float] = {"macs": macs, "parameters": parameters}
        return known | {"latency_ms": nanoseconds / NANOSECONDS} if "latency_ms" in self.metrics else known

    def require(self, metrics: Iterable[Metric]) -> None:
        """Check that the table knows these metrics.

        Raises:
            InputError: one of them is latency, and there is no latency table.
        """
        for metric in metrics:
            self._index_of(metric)

    def cheapest(self, metric: Metric) -> Decisions:
        """Return the canonical vector of the space's cheapest network; of several, the first in lexical order.

        Raises:
            InputError: the metric is latency, and there is no latency table.
        """
        return self._extreme(metric, min)

    def costliest(self, metric: Metric) -> Decisions:
        """Return the canonical vector of the space's costliest network; of several, the last in lexical order.

        Raises:
            InputError: the metric is latency, and there is no latency table.
        """
        return self._extreme(metric, max)

    def _extreme(self, metric: Metric, choose: Callable[[Iterable[tuple[int, Decisions]]], Any]) -> Decisions:
        metric_index = self._index_of(metric)
        best: dict[int, tuple[int, Decisions]] = {self._first_channels: (0, ())}  # by the channels after the block
        for index, costs in enumerate(self._blocks):
            reached: dict[int, tuple[int, Decisions]] = {}
            for in_channels, (cost_before, decisions) in best.items():
                for block_decisions in self.space.vectors(index, in_channels).values():
                    out_channels, *cost = costs[in_channels][block_decisions]
                    candidate = (cost_before + cost[metric_index], decisions + block_decisions)
                    reached[out_channels] = choose([reached.get(out_channels, candidate), candidate])
            best = reached
        ends = [(cost + self._ends[channels][metric_index], decisions) for channels, (cost, decisions) in best.items()]
        extreme: Decisions = choose(ends)[1]
        return extreme

    def block(self, index: int, in_channels: int, decisions: Decisions, metric: Metric) -> tuple[int, float]:
        """Return the output channels and the cost of one block.

        Args:
            index: index of the block among the searched blocks.
            in_channels: channels that arrive at the block.
            decisions: the indices of this block's decisions.
            metric: the metric; the cost is in its unit.
        """
        out_channels, *cost = self._blocks[index][in_channels][decisions]
        return out_channels, _in_unit(cost[self._index_of(metric)], metric)

    def outside(self, out_channels: int, metric: Metric) -> float:
        """Return the cost of everything that is not searched, if `out_channels` channels leave the last block."""
        index = self._index_of(metric)
        return _in_unit(self._begin[index] + self._ends[out_channels][index], metric)

    def _total(self, decisions: Decisions) -> Cost:
        channels = self._first_channels
        macs, parameters, nanoseconds = self._begin
        for costs, part in zip(self._blocks, self._slices, strict=True):
            channels, block_macs, block_parameters, block_nanoseconds = costs[channels][decisions[part]]
            macs += block_macs
            parameters += block_parameters
            nanoseconds += block_nanoseconds
        end = self._ends[channels]
        return macs + end[0], parameters + end[1], nanoseconds + end[2]

    def _index_of(self, metric: Metric) -> int:
        if metric not in self.metrics:
            raise InputError(f"{metric}: no latency table was given; to make one, type: snakemake measure_latency")
        return METRICS.index(metric)


class _BlockCosts(dict[Decisions, tuple[int, int, int, int]]):
    """Output channels and costs of one block by its decisions, for one number of arriving channels.

    An entry is computed at the first look-up.
    """

    def __init__(
        self, space: SearchSpace, index: int, in_channels: int, size: int, latency: Mapping[str, int] | None
    ) -> None:
        super().__init__()
        self._space, self._index, self._in_channels = space, index, in_channels
        self._size, self._latency = size, latency

    def __missing__(self, decisions: Decisions) -> tuple[int, int, int, int]:
        layers = self._space.layers(self._index, self._in_channels, decisions)
        cost = _sum(in_order(layers, self._size), self._latency)
        self[decisions] = (layers[-1].out_channels if layers else self._in_channels, *cost)
        return self[decisions]


def _in_unit(cost: int, metric: Metric) -> float:
    return cost / NANOSECONDS if metric == "latency_ms" else cost


def _sum(units: Iterable[ProfiledUnit], latency: Mapping[str, int] | None = None) -> Cost:
    """Return the total cost of profiled units; the latency is 0 without a table."""
    macs = parameters = nanoseconds = 0
    for unit in units:
        classifier = unit.part.out_channels * unit.num_classes
        macs += classifier
        parameters += classifier + unit.num_classes
        size = unit.input_size
        for convolution in unit.convolutions:
            size = 1 if convolution.after_pooling else output_size(size, convolution.stride)
            channels = convolution.out_channels
            weights = channels * convolution.kernel_size**2 * (1 if convolution.depthwise else convolution.in_channels)
            squeeze = 2 * channels * convolution.se_channels
            macs += weights * size**2 + squeeze
            ending = convolution.bias if convolution.after_pooling else 2
            parameters += weights + ending * channels
            parameters += squeeze + (channels + convolution.se_channels if squeeze else 0)
        if isinstance(unit.part, LayerSpec) and unit.part.own:
            macs += own_macs(unit.part, unit.input_size)
            parameters += own_parameters(unit.part)
        nanoseconds += latency[unit.key] if latency is not None else 0
    return macs, parameters, nanoseconds
