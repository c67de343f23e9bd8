"""Costs of networks: parameters and multiply-adds (MACs) by formula, and latency by a table of measured pieces.

Parameters are the learnable ones. MACs are the multiply-adds of convolutions and linear layers for one image, those
of squeeze and excitation included; normalisation, activation, pooling and biases are not counted. FLOPs = 2 MACs.
The latency of a network is the sum of the medians of its pieces.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from nasmake.core.errors import InputError
from nasmake.costs.units import Layout, ProfiledUnit, in_order, output_size, units_of_network
from nasmake.search_spaces import Architecture, Decisions, NetworkSpec, SearchSpace

Metric = Literal["macs", "parameters", "latency_ms"]
METRICS: tuple[Metric, ...] = ("macs", "parameters", "latency_ms")
Cost = tuple[int, int, int]  # in the order of METRICS; latency in nanoseconds, 0 without a table
NANOSECONDS = 10**6  # of a millisecond; sums of whole nanoseconds depend on no order, so equal is equal


def count_parameters(spec: NetworkSpec, in_channels: int) -> int:
    """Learnable parameters of the network for images with `in_channels` channels."""
    return _sum(units_of_network(spec, in_channels, 1))[1]


def count_macs(spec: NetworkSpec, in_channels: int, input_size: int) -> int:
    """Multiply-adds of the network for one image of `input_size` x `input_size` pixels."""
    return _sum(units_of_network(spec, in_channels, input_size))[0]


def with_costs(architecture: Architecture, in_channels: int, input_size: int) -> dict[str, Any]:
    """The content of an architecture's file, with its cost for images of that size."""
    return architecture.to_json() | {
        "input_size": input_size,
        "channels": in_channels,
        "parameters": count_parameters(architecture.spec, in_channels),
        "macs": count_macs(architecture.spec, in_channels, input_size),
    }


class CostTable:
    """Costs of a space's networks by look-up: exact, more than 10^5 networks per second.

    What a block costs depends on its own decisions and on the width that arrives; each such pair is computed once.
    Decision vectors are not checked.

    Args:
        latency: nanoseconds of every piece of the space by its key, as `read_latency` gives them; None: not known.

    Attributes:
        space: of the networks.
        metrics: what the table knows.
    """

    def __init__(
        self, space: SearchSpace, in_channels: int, input_size: int, latency: Mapping[str, int] | None = None
    ) -> None:
        self.metrics = METRICS if latency is not None else METRICS[:2]
        begin, sizes, ends = Layout.of(space, in_channels, input_size)
        self.space = space
        self._first_channels = space.blocks[0].in_channel_choices[0]
        self._fixed = _sum(begin, latency)
        self._blocks = [
            {width: _BlockCosts(space, index, width, size, latency) for width in block.in_channel_choices}
            for index, (block, size) in enumerate(zip(space.blocks, sizes, strict=True))
        ]
        self._ends = {width: _sum([unit], latency) for width, unit in ends.items()}
        stride = len(space.decisions) // len(space.blocks)
        self._places = [slice(index * stride, (index + 1) * stride) for index in range(len(space.blocks))]

    def macs(self, decisions: Decisions) -> int:
        """Multiply-adds of the network that the vector chooses."""
        return self._total(decisions)[0]

    def parameters(self, decisions: Decisions) -> int:
        """Learnable parameters of the network that the vector chooses."""
        return self._total(decisions)[1]

    def latency_ms(self, decisions: Decisions) -> float:
        """Milliseconds of one forward pass of the network that the vector chooses.

        Raises:
            InputError: there is no latency table.
        """
        self._place("latency_ms")
        return self._total(decisions)[2] / NANOSECONDS

    def of(self, decisions: Decisions) -> dict[str, float]:
        """All costs that the table knows, by metric, in one pass."""
        macs, parameters, nanoseconds = self._total(decisions)
        known: dict[str, float] = {"macs": macs, "parameters": parameters}
        return known | {"latency_ms": nanoseconds / NANOSECONDS} if "latency_ms" in self.metrics else known

    def require(self, metrics: Iterable[Metric]) -> None:
        """Refuse to go on without one of these.

        Raises:
            InputError: one of them is latency, and there is no latency table.
        """
        for metric in metrics:
            self._place(metric)

    def cheapest(self, metric: Metric) -> Decisions:
        """The canonical vector of the space's cheapest network; the first in lexical order if several are.

        Raises:
            InputError: the metric is latency, and there is no latency table.
        """
        return self._extreme(metric, min)

    def costliest(self, metric: Metric) -> Decisions:
        """The canonical vector of the space's most expensive network; the last in lexical order if several are.

        Raises:
            InputError: the metric is latency, and there is no latency table.
        """
        return self._extreme(metric, max)

    def _extreme(self, metric: Metric, choose: Callable[[Iterable[tuple[int, Decisions]]], Any]) -> Decisions:
        place = self._place(metric)
        best: dict[int, tuple[int, Decisions]] = {self._first_channels: (0, ())}  # by the width that leaves the block
        for index, costs in enumerate(self._blocks):
            reached: dict[int, tuple[int, Decisions]] = {}
            for width, (spent, decisions) in best.items():
                for own in self.space.vectors(index, width).values():
                    leaving, *cost = costs[width][own]
                    candidate = (spent + cost[place], decisions + own)
                    reached[leaving] = choose([reached.get(leaving, candidate), candidate])
            best = reached
        ends = [(spent + self._ends[width][place], decisions) for width, (spent, decisions) in best.items()]
        chosen: Decisions = choose(ends)[1]
        return chosen

    def block(self, index: int, in_channels: int, own: Decisions, metric: Metric) -> tuple[int, float]:
        """The width that leaves a block, and what the block costs, for its own decisions and the arriving width."""
        leaving, *cost = self._blocks[index][in_channels][own]
        return leaving, self._in_unit(cost[self._place(metric)], metric)

    def outside(self, out_channels: int, metric: Metric) -> float:
        """The cost of all that is not searched, where `out_width` channels leave the last block."""
        place = self._place(metric)
        return self._in_unit(self._fixed[place] + self._ends[out_channels][place], metric)

    def _total(self, decisions: Decisions) -> Cost:
        width = self._first_channels
        macs, parameters, nanoseconds = self._fixed
        for costs, place in zip(self._blocks, self._places, strict=True):
            width, own_macs, own_parameters, own_nanoseconds = costs[width][decisions[place]]
            macs += own_macs
            parameters += own_parameters
            nanoseconds += own_nanoseconds
        end = self._ends[width]
        return macs + end[0], parameters + end[1], nanoseconds + end[2]

    def _place(self, metric: Metric) -> int:
        if metric not in self.metrics:
            raise InputError(f"{metric}: no latency table was given; to make one, type: snakemake measure_latency")
        return METRICS.index(metric)

    @staticmethod
    def _in_unit(cost: int, metric: Metric) -> float:
        return cost / NANOSECONDS if metric == "latency_ms" else cost


class _BlockCosts(dict[Decisions, tuple[int, int, int, int]]):
    """From a block's own decisions to leaving width and costs, for one arriving width, filled when first asked."""

    def __init__(
        self, space: SearchSpace, index: int, width: int, size: int, latency: Mapping[str, int] | None
    ) -> None:
        super().__init__()
        self._space, self._index, self._width, self._size, self._latency = space, index, width, size, latency

    def __missing__(self, decisions: Decisions) -> tuple[int, int, int, int]:
        layers = self._space.layers(self._index, self._width, decisions)
        cost = _sum(in_order(layers, self._size), self._latency)
        self[decisions] = (layers[-1].out_channels if layers else self._width, *cost)
        return self[decisions]


def _sum(units: Iterable[ProfiledUnit], latency: Mapping[str, int] | None = None) -> Cost:
    macs = parameters = nanoseconds = 0
    for unit in units:
        own_macs, own_parameters = _counts(unit)
        macs += own_macs
        parameters += own_parameters
        nanoseconds += latency[unit.key] if latency is not None else 0
    return macs, parameters, nanoseconds


def _counts(unit: ProfiledUnit) -> tuple[int, int]:
    """MACs and parameters of a piece."""
    size = unit.input_size
    classifier = unit.part.out_channels * unit.num_classes
    macs, parameters = classifier, classifier + unit.num_classes
    for convolution in unit.convolutions:
        size = output_size(size, convolution.stride)
        width = convolution.out_channels
        weights = width * convolution.kernel_size**2 * (1 if convolution.depthwise else convolution.in_channels)
        squeeze = 2 * width * convolution.se_channels
        parameters += weights + 2 * width + squeeze + (width + convolution.se_channels if squeeze else 0)
        macs += weights * size**2 + squeeze
    return macs, parameters
