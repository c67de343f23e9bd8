"""Layers whose weights are shared by slicing: a smaller layer uses the first channels of the largest one."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasmake.models.layers import EPSILON, MOMENTUM, excite, initialise_filter
from nasmake.search_spaces import Convolution, LayerSpec


class SlicedTensor(nn.Module):
    """A parameter of which the first rows (dimension 0) and columns (dimension 1) can be taken.

    Args:
        full: its initial value at the largest size.
        rows: the sizes of dimension 0 that can be asked for, ascending.
        columns: the same for dimension 1; without them it is always taken whole.
    """

    def __init__(self, full: Tensor, rows: Sequence[int], columns: Sequence[int] = ()) -> None:
        super().__init__()
        self._rows = {size: count for count, size in enumerate(rows, 1)}
        self._columns = {size: count for count, size in enumerate(columns, 1)}
        for i, (top, bottom) in enumerate(pairwise((0, *rows))):
            for j, (left, right) in enumerate(pairwise((0, *columns)) if columns else [(0, 0)]):
                chunk = full[top:bottom, left:right] if columns else full[top:bottom]
                self.register_parameter(f"{i}_{j}", nn.Parameter(chunk.clone()))

    def forward(self, rows: int, columns: int = 0) -> Tensor:
        """The first `rows` rows and, if columns are sliced, the first `columns` columns of them."""
        chunks = cast(list[Tensor], list(self._parameters.values()))  # `parameters()` takes longer than the joining
        across = len(self._columns) or 1
        end, taken = self._rows[rows] * across, self._columns[columns] if self._columns else 1
        return _joined([_joined(chunks[j:end:across], 0) for j in range(taken)], 1)


def _joined(parts: list[Tensor], dimension: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dimension)


class SlicedBatchNorm(nn.Module):
    """Batch normalisation of the first channels; their running statistics are the first entries of the whole's."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        weight_and_bias = torch.stack([torch.ones(widths[-1]), torch.zeros(widths[-1])])
        self.affine = SlicedTensor(weight_and_bias, [2], widths)  # in one: half as many pieces to join at every step
        self.register_buffer("running_mean", torch.zeros(widths[-1]))
        self.register_buffer("running_var", torch.ones(widths[-1]))
        self.momentum = MOMENTUM
        self.width = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """From [N, width, H, W], `width` as last set, to the same shape."""
        mean, variance = self.running_mean[: self.width], self.running_var[: self.width]
        weight, bias = self.affine(2, self.width).unbind()
        return F.batch_norm(x, mean, variance, weight, bias, self.training, self.momentum, EPSILON)

    def reset_running_stats(self) -> None:
        """Forget the statistics of the active channels."""
        self.running_mean[: self.width] = 0
        self.running_var[: self.width] = 1

    def active_state(self) -> dict[str, Tensor]:
        """The active channels as the state of an `nn.BatchNorm2d`."""
        weight, bias = self.affine(2, self.width).unbind()
        return {
            "weight": weight,
            "bias": bias,
            "running_mean": self.running_mean[: self.width],
            "running_var": self.running_var[: self.width],
            "num_batches_tracked": torch.tensor(0),
        }


NORMS = (nn.BatchNorm2d, SlicedBatchNorm)


class SharedStage(nn.Module):
    """Weights for several shapes of one step of a layer; computes the active one."""

    shape: Convolution

    def activate(self, shape: Convolution) -> None:
        """Compute `shape` from now on."""
        self.shape = shape

    def active_state(self) -> dict[str, Tensor]:
        """The active slices as the state of the stand-alone module."""
        raise NotImplementedError


class SharedConvBN(SharedStage):
    """The weights of convolutions that differ in their widths only; computes what `layers.ConvBN` does."""

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        out_channel_choices = sorted({shape.out_channels for shape in shapes})
        in_channel_choices = [] if shapes[0].depthwise else sorted({shape.in_channels for shape in shapes})
        size = shapes[0].kernel_size
        full = initialise_filter(
            torch.empty(out_channel_choices[-1], in_channel_choices[-1] if in_channel_choices else 1, size, size)
        )
        self.weight = SlicedTensor(full, out_channel_choices, in_channel_choices)
        self.bn = SlicedBatchNorm(out_channel_choices)
        self.activate(shapes[0])

    def activate(self, shape: Convolution) -> None:
        """Compute `shape` from now on."""
        super().activate(shape)
        self.bn.width = shape.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """From [N, in_width, H, W] to [N, out_width, H', W']."""
        shape = self.shape
        weight = self.weight(shape.out_channels, shape.in_channels)
        groups = shape.in_channels if shape.depthwise else 1
        x = self.bn(F.conv2d(x, weight, None, shape.stride, shape.kernel_size // 2, groups=groups))
        return F.relu(x, inplace=True) if shape.relu else x

    def active_state(self) -> dict[str, Tensor]:
        """The active slice as the state of a `layers.ConvBN`."""
        weight = self.weight(self.shape.out_channels, self.shape.in_channels)
        return _merged({"conv": {"weight": weight}, "bn": self.bn.active_state()})


class SharedLinear(nn.Module):
    """The weights of linear layers that differ in their widths only."""

    def __init__(self, in_channel_choices: Sequence[int], out_channel_choices: Sequence[int]) -> None:
        super().__init__()
        full = nn.Linear(in_channel_choices[-1], out_channel_choices[-1])
        self.weight = SlicedTensor(full.weight.detach(), out_channel_choices, in_channel_choices)
        self.bias = SlicedTensor(full.bias.detach(), out_channel_choices)

    def forward(self, x: Tensor, out_channels: int) -> Tensor:
        """From [N, in_width] to [N, out_width]."""
        return F.linear(x, self.weight(out_channels, x.shape[1]), self.bias(out_channels))

    def active_state(self, in_channels: int, out_channels: int) -> dict[str, Tensor]:
        """One slice as the state of an `nn.Linear`."""
        return {"weight": self.weight(out_channels, in_channels), "bias": self.bias(out_channels)}


class SharedSqueezeExcite(SharedStage):
    """The weights of `layers.SqueezeExcite` behind convolutions that differ in their widths only."""

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        widths, hidden = (
            sorted({shape.out_channels for shape in shapes}),
            sorted({shape.se_channels for shape in shapes}),
        )
        self.reduce = SharedLinear(widths, hidden)
        self.expand = SharedLinear(hidden, widths)
        self.activate(shapes[0])

    def forward(self, x: Tensor) -> Tensor:
        """From [N, width, H, W] to the same shape."""
        hidden = F.relu(self.reduce(x.mean((2, 3)), self.shape.se_channels))
        return excite(x, self.expand(hidden, self.shape.out_channels))

    def active_state(self) -> dict[str, Tensor]:
        """The active slice as the state of a `layers.SqueezeExcite`."""
        width, hidden = self.shape.out_channels, self.shape.se_channels
        reduce, expand = self.reduce.active_state(width, hidden), self.expand.active_state(hidden, width)
        return _merged({"reduce": reduce, "expand": expand})


class SharedLayer(nn.Module):
    """The weights of layers with the same operation and kernel size, at one position of one block."""

    def __init__(self, specs: Sequence[LayerSpec]) -> None:
        super().__init__()
        for shapes in zip(*(spec.convolutions for spec in specs), strict=True):
            self.add_module(shapes[0].name, SharedConvBN(shapes))
            if excited := [shape for shape in shapes if shape.se_channels]:
                self.add_module("squeeze_excite", SharedSqueezeExcite(excited))
        self.activate(specs[0])

    def activate(self, spec: LayerSpec) -> None:
        """Compute `spec` from now on."""
        self.residual = spec.residual
        self.stages: list[tuple[str, SharedStage]] = []  # a list, for the modules are registered already
        for shape in spec.convolutions:
            for name in (shape.name, "squeeze_excite") if shape.se_channels else (shape.name,):
                stage = cast(SharedStage, self.get_submodule(name))
                stage.activate(shape)
                self.stages.append((name, stage))

    def forward(self, x: Tensor) -> Tensor:
        """From [N, in_width, H, W] to [N, out_width, H', W']."""
        y = x
        for _, stage in self.stages:
            y = stage(y)
        return x + y if self.residual else y

    def active_state(self) -> dict[str, Tensor]:
        """The active slices as the state of a `layers.Layer`."""
        return _merged({name: stage.active_state() for name, stage in self.stages})


def _merged(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One state of many, each under its name."""
    return {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
