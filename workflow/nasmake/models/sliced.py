"""Layers that share weights by slicing: a smaller layer uses the first channels of the largest one.

The supernet made of these layers lives in supernet.py. tests/models/test_supernet.py tests this module.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasmake.models.layers import ACTIVATIONS, PooledConv, excite, initialise_filter, make_own
from nasmake.search_spaces import Convolution, LayerSpec
from nasmake.search_spaces.spec import BN_EPSILON, BN_MOMENTUM


class SlicedTensor(nn.Module):
    """A parameter whose first rows (dimension 0) and first columns (dimension 1) can be used alone.

    It is stored as chunks that are cut at every size. So the chunks outside a slice get no gradient (None, not zeros).

    Args:
        full: initial value at the largest size, [rows, columns, ...].
        rows: the sizes of dimension 0, ascending.
        columns: the sizes of dimension 1, ascending; empty if all columns are always used.
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
        """Return the first `rows` rows and, if columns are sliced, only their first `columns` columns."""
        chunks = cast(list[Tensor], list(self._parameters.values()))  # `parameters()` takes longer than concatenation
        chunks_per_row = len(self._columns) or 1
        end, count = self._rows[rows] * chunks_per_row, self._columns[columns] if self._columns else 1
        return _concatenated([_concatenated(chunks[j:end:chunks_per_row], 0) for j in range(count)], 1)


def _concatenated(parts: list[Tensor], dimension: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dimension)


class SlicedBatchNorm(nn.Module):
    """Batch normalisation of the first channels, with the first entries of the shared running statistics.

    Args:
        channel_choices: the numbers of channels, ascending.

    Attributes:
        active_channels: the number of channels in use.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channel_choices: Sequence[int]) -> None:
        super().__init__()
        most = channel_choices[-1]
        weight_and_bias = torch.stack([torch.ones(most), torch.zeros(most)])
        # Weight and bias are one parameter, so that each step concatenates half as many chunks.
        self.affine = SlicedTensor(weight_and_bias, [2], channel_choices)
        self.register_buffer("running_mean", torch.zeros(most))
        self.register_buffer("running_var", torch.ones(most))
        self.eps, self.momentum = BN_EPSILON, BN_MOMENTUM
        self.active_channels = most

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, active_channels, H, W] to the same shape."""
        mean, variance = self.running_mean[: self.active_channels], self.running_var[: self.active_channels]
        weight, bias = self.affine(2, self.active_channels).unbind()
        return F.batch_norm(x, mean, variance, weight, bias, self.training, self.momentum, self.eps)

    def reset_running_stats(self) -> None:
        """Set the statistics of the active channels to mean 0 and variance 1."""
        self.running_mean[: self.active_channels] = 0
        self.running_var[: self.active_channels] = 1

    def active_state(self) -> dict[str, Tensor]:
        """Return the active channels as the state of an `nn.BatchNorm2d`."""
        weight, bias = self.affine(2, self.active_channels).unbind()
        return {
            "weight": weight,
            "bias": bias,
            "running_mean": self.running_mean[: self.active_channels],
            "running_var": self.running_var[: self.active_channels],
            "num_batches_tracked": torch.tensor(0),
        }


NORMS = (nn.BatchNorm2d, SlicedBatchNorm)


class SharedStage(nn.Module):
    """Shared weights for several shapes of one part of a layer; the module computes the active shape."""

    shape: Convolution

    def activate(self, shape: Convolution) -> None:
        """Make `shape` the active one."""
        self.shape = shape

    def active_state(self) -> dict[str, Tensor]:
        """Return the active slices as the state of the stand-alone module."""
        raise NotImplementedError


class SharedConvBN(SharedStage):
    """Shared weights of convolutions; computes the same as `layers.ConvBN`.

    With several kernel sizes, a small kernel is the centre of the next larger one times a learned square matrix (the
    elastic kernel size of once-for-all, arXiv 1908.09791, section 3.3). The matrices begin as identities, as in its
    code. All channels share them.
    """

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        out_channel_choices = sorted({shape.out_channels for shape in shapes})
        in_channel_choices = [] if shapes[0].depthwise else sorted({shape.in_channels for shape in shapes})
        size, *self._smaller = sorted({shape.kernel_size for shape in shapes}, reverse=True)
        full = initialise_filter(
            torch.empty(out_channel_choices[-1], in_channel_choices[-1] if in_channel_choices else 1, size, size)
        )
        self.weight = SlicedTensor(full, out_channel_choices, in_channel_choices)
        self.transforms = nn.ParameterDict({f"to_{small}": torch.eye(small**2) for small in self._smaller})
        self.bn = SlicedBatchNorm(out_channel_choices)
        self.activate(shapes[0])

    def activate(self, shape: Convolution) -> None:
        """Make `shape` the active one."""
        super().activate(shape)
        self.bn.active_channels = shape.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        shape = self.shape
        weight = self._kernel()
        groups = shape.in_channels if shape.depthwise else 1
        x = self.bn(F.conv2d(x, weight, None, shape.stride, shape.kernel_size // 2, groups=groups))
        return ACTIVATIONS[shape.activation](x)

    def active_state(self) -> dict[str, Tensor]:
        """Return the active slice as the state of a `layers.ConvBN`."""
        return merged_state({"conv": {"weight": self._kernel()}, "bn": self.bn.active_state()})

    def _kernel(self) -> Tensor:
        """Return the weight of the active shape."""
        weight: Tensor = self.weight(self.shape.out_channels, self.shape.in_channels)
        for size in self._smaller:
            if size < self.shape.kernel_size:
                break
            edge = (weight.shape[-1] - size) // 2
            centre = weight[..., edge : edge + size, edge : edge + size]
            weight = F.linear(centre.flatten(2), self.transforms[f"to_{size}"]).reshape(centre.shape)
        return weight


class SharedPooledConv(SharedStage):
    """Shared weights of `layers.PooledConv` for several numbers of input channels."""

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        channels = [shape.in_channels for shape in shapes]
        full = PooledConv(shapes[-1]).conv
        self.weight = SlicedTensor(full.weight.detach(), [shapes[0].out_channels], channels)
        self.bias = full.bias
        self.activate(shapes[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, 1, 1]."""
        weight = self.weight(self.shape.out_channels, self.shape.in_channels)
        return ACTIVATIONS[self.shape.activation](F.conv2d(x.mean((2, 3), keepdim=True), weight, self.bias))

    def active_state(self) -> dict[str, Tensor]:
        """Return the active slice as the state of a `layers.PooledConv`."""
        weight = self.weight(self.shape.out_channels, self.shape.in_channels)
        return merged_state({"conv": {"weight": weight} | ({} if self.bias is None else {"bias": self.bias})})


class SharedLinear(nn.Module):
    """Shared weights of linear layers that differ in their numbers of inputs and outputs only."""

    def __init__(self, in_channel_choices: Sequence[int], out_channel_choices: Sequence[int]) -> None:
        super().__init__()
        full = nn.Linear(in_channel_choices[-1], out_channel_choices[-1])
        self.weight = SlicedTensor(full.weight.detach(), out_channel_choices, in_channel_choices)
        self.bias = SlicedTensor(full.bias.detach(), out_channel_choices)

    def forward(self, x: Tensor, out_channels: int) -> Tensor:
        """Map [N, in_channels] to [N, out_channels]."""
        return F.linear(x, self.weight(out_channels, x.shape[1]), self.bias(out_channels))

    def active_state(self, in_channels: int, out_channels: int) -> dict[str, Tensor]:
        """Return one slice as the state of an `nn.Linear`."""
        return {"weight": self.weight(out_channels, in_channels), "bias": self.bias(out_channels)}


class SharedSqueezeExcite(SharedStage):
    """Shared weights of `layers.SqueezeExcite` after convolutions that differ in their channels only."""

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        channels = sorted({shape.out_channels for shape in shapes})
        hidden_channels = sorted({shape.se_channels for shape in shapes})
        self.reduce = SharedLinear(channels, hidden_channels)
        self.expand = SharedLinear(hidden_channels, channels)
        self.activate(shapes[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, H, W] to the same shape."""
        hidden = ACTIVATIONS[self.shape.se_activation](self.reduce(x.mean((2, 3)), self.shape.se_channels))
        return excite(x, self.expand(hidden, self.shape.out_channels), self.shape.se_gate)

    def active_state(self) -> dict[str, Tensor]:
        """Return the active slice as the state of a `layers.SqueezeExcite`."""
        channels, hidden_channels = self.shape.out_channels, self.shape.se_channels
        reduce = self.reduce.active_state(channels, hidden_channels)
        expand = self.expand.active_state(hidden_channels, channels)
        return merged_state({"reduce": reduce, "expand": expand})


class SharedOwn(SharedStage):
    """The module of a user's operation for one shape; nothing is known about its inside, so nothing is sliced."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self.module = make_own(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        y: Tensor = self.module(x)
        return y

    def active_state(self) -> dict[str, Tensor]:
        """Return the state of the module."""
        return dict(self.module.state_dict())


class SharedLayer(nn.Module):
    """Shared weights of layers with the same operation, at one position of one block."""

    def __init__(self, specs: Sequence[LayerSpec]) -> None:
        super().__init__()
        if specs[0].own:
            self.own = SharedOwn(specs[0])
        for shapes in zip(*(spec.convolutions for spec in specs), strict=True):
            self.add_module(shapes[0].name, SharedConvBN(shapes))
            if shapes_with_excitation := [shape for shape in shapes if shape.se_channels]:
                self.add_module("squeeze_excite", SharedSqueezeExcite(shapes_with_excitation))
        self.activate(specs[0])

    def activate(self, spec: LayerSpec) -> None:
        """Make `spec` the active layer."""
        self.residual = spec.residual
        # A list, because these modules are registered already.
        self.stages: list[tuple[str, SharedStage]] = [("own", self.own)] if spec.own else []
        for shape in spec.convolutions:
            for name in (shape.name, "squeeze_excite") if shape.se_channels else (shape.name,):
                stage = cast(SharedStage, self.get_submodule(name))
                stage.activate(shape)
                self.stages.append((name, stage))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        y = x
        for _, stage in self.stages:
            y = stage(y)
        return x + y if self.residual else y

    def active_state(self) -> dict[str, Tensor]:
        """Return the active slices as the state of a `layers.Layer`."""
        return merged_state({name: stage.active_state() for name, stage in self.stages})


def merged_state(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return one state from the states of several modules; names get the module's name as prefix."""
    return {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
