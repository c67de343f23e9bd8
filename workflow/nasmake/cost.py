"""Parameters and multiply-adds (MACs) of networks, by formula.

Parameters are the learnable ones. MACs are the multiply-adds of convolutions and linear layers for one image, those
of squeeze and excitation included; normalisation, activation, pooling and biases are not counted. FLOPs = 2 MACs.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

from nasmake.search_spaces import Convolution, Decisions, NetworkSpec, SearchSpace

Metric = Literal["parameters", "macs"]
Cost = tuple[int, int]  # parameters and MACs
PLACE: dict[Metric, int] = {"parameters": 0, "macs": 1}


def count_parameters(spec: NetworkSpec, in_channels: int) -> int:
    """Learnable parameters of the network for images with `in_channels` channels."""
    return _network_cost(spec, in_channels, 1)[0]


def count_macs(spec: NetworkSpec, in_channels: int, input_size: int) -> int:
    """Multiply-adds of the network for one image of `input_size` x `input_size` pixels."""
    return _network_cost(spec, in_channels, input_size)[1]


class CostTable:
    """Costs of a space's networks by look-up: exact, more than 10^5 networks per second.

    What a block costs depends on its own decisions and on the width that arrives; each such pair is computed once.
    Decision vectors are not checked.
    """

    def __init__(self, space: SearchSpace, in_channels: int, input_size: int) -> None:
        spec = space.decode((0,) * len(space.decisions))
        self._space = space
        self._first_width = space.blocks[0].in_widths[0]
        fixed = chain([spec.stem(in_channels)], *(layer.convolutions for block in space.fixed for layer in block))
        self._fixed, size = _cost(fixed, input_size)
        self._blocks = []
        for index, block in enumerate(space.blocks):
            self._blocks.append(_BlockCosts(space, index, size))
            size = _output_size(size, block.stride)
        heads = {width: replace(spec.head, in_width=width) for width in space.last_widths}
        self._ends = {width: _end_cost(head, spec, size) for width, head in heads.items()}
        self._stride = len(space.decisions) // len(space.blocks)

    def parameters(self, decisions: Decisions) -> int:
        """Learnable parameters of the network that the vector chooses."""
        return self._total(decisions, 0)

    def macs(self, decisions: Decisions) -> int:
        """Multiply-adds of the network that the vector chooses."""
        return self._total(decisions, 1)

    def cheapest(self, metric: Metric) -> Decisions:
        """The canonical vector of the space's cheapest network; the first in lexical order if several are."""
        return self._extreme(metric, min)

    def costliest(self, metric: Metric) -> Decisions:
        """The canonical vector of the space's most expensive network; the last in lexical order if several are."""
        return self._extreme(metric, max)

    def _extreme(self, metric: Metric, choose: Callable[[Iterable[tuple[int, Decisions]]], Any]) -> Decisions:
        place = PLACE[metric]
        best: dict[int, tuple[int, Decisions]] = {self._first_width: (0, ())}  # by the width that leaves the block
        for index, costs in enumerate(self._blocks):
            reached: dict[int, tuple[int, Decisions]] = {}
            for width, (spent, decisions) in best.items():
                for own in self._space.vectors(index, width).values():
                    leaving, cost = costs[width, own]
                    candidate = (spent + cost[place], decisions + own)
                    reached[leaving] = choose([reached.get(leaving, candidate), candidate])
            best = reached
        ends = [(spent + self._ends[width][place], decisions) for width, (spent, decisions) in best.items()]
        chosen: Decisions = choose(ends)[1]
        return chosen

    def _total(self, decisions: Decisions, place: int) -> int:
        total, width, start = self._fixed[place], self._first_width, 0
        for costs in self._blocks:
            stop = start + self._stride
            width, cost = costs[width, decisions[start:stop]]
            total += cost[place]
            start = stop
        return total + self._ends[width][place]


class _BlockCosts(dict[tuple[int, Decisions], tuple[int, Cost]]):
    """From arriving width and a block's own decisions to leaving width and cost, filled when first asked."""

    def __init__(self, space: SearchSpace, index: int, size: int) -> None:
        super().__init__()
        self._space, self._index, self._size = space, index, size

    def __missing__(self, key: tuple[int, Decisions]) -> tuple[int, Cost]:
        width, decisions = key
        layers = self._space.layers(self._index, width, decisions)
        convolutions = chain.from_iterable(layer.convolutions for layer in layers)
        self[key] = (layers[-1].out_width if layers else width, _cost(convolutions, self._size)[0])
        return self[key]


def _network_cost(spec: NetworkSpec, in_channels: int, input_size: int) -> Cost:
    layers = chain.from_iterable(layer.convolutions for block in spec.blocks for layer in block)
    body, size = _cost(chain([spec.stem(in_channels)], layers), input_size)
    end = _end_cost(spec.head, spec, size)
    return body[0] + end[0], body[1] + end[1]


def _end_cost(head: Convolution, spec: NetworkSpec, size: int) -> Cost:
    (parameters, macs), _ = _cost([head], size)
    weights = spec.head_width * spec.class_num
    return parameters + weights + spec.class_num, macs + weights


def _cost(convolutions: Iterable[Convolution], size: int) -> tuple[Cost, int]:
    """Cost of consecutive convolutions on an image of `size` x `size`, and the size that they leave."""
    parameters = macs = 0
    for convolution in convolutions:
        size = _output_size(size, convolution.stride)
        width = convolution.out_width
        weights = width * convolution.kernel_size**2 * (1 if convolution.depthwise else convolution.in_width)
        squeeze = 2 * width * convolution.se_width
        parameters += weights + 2 * width + squeeze + (width + convolution.se_width if squeeze else 0)
        macs += weights * size**2 + squeeze
    return (parameters, macs), size


def _output_size(size: int, stride: int) -> int:
    return -(-size // stride)
