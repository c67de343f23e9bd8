"""The layers of a stand-alone network.

Images are [N, C, H, W]; every layer keeps their memory layout, contiguous or channels_last. The whole network lives in
network.py, layers with shared weights in sliced.py. tests/models/test_network.py tests this module.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasmake.search_spaces import Convolution, LayerSpec, NetworkSpec
from nasmake.search_spaces.spec import BN_EPSILON, BN_MOMENTUM

ACTIVATIONS: dict[str | None, Callable[[Tensor], Tensor]] = {
    "relu": partial(F.relu, inplace=True),
    "relu6": partial(F.relu6, inplace=True),
    "silu": partial(F.silu, inplace=True),
    "hard_swish": partial(F.hardswish, inplace=True),
    None: lambda x: x,
}
GATES: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "hard_sigmoid": F.hardsigmoid}
Model = TypeVar("Model", bound=nn.Module)


def channels_last(model: Model) -> Model:
    """Store the filters in channels_last layout, the fast one for these networks on CPUs and on tensor cores."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def initialise_filter(weight: Tensor) -> Tensor:
    """Draw a convolution's weight by He's rule for its outputs, as MobileNetV2 (arXiv 1801.04381) and MnasNet do.

    A weight on the meta device has no values. Drawing there changes nothing, but takes torch milliseconds.
    """
    if weight.is_meta:
        return weight
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


class ConvBN(nn.Module):
    """A convolution, its batch normalisation, and its activation if it has one."""

    def __init__(self, shape: Convolution) -> None:
        super().__init__()
        size, groups = shape.kernel_size, shape.in_channels if shape.depthwise else 1
        self.conv = nn.Conv2d(
            shape.in_channels, shape.out_channels, size, shape.stride, size // 2, groups=groups, bias=False
        )
        self.bn: nn.Module = nn.BatchNorm2d(shape.out_channels, eps=BN_EPSILON, momentum=BN_MOMENTUM)
        self.activation = shape.activation
        initialise_filter(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        return ACTIVATIONS[self.activation](self.bn(self.conv(x)))


class PooledConv(nn.Module):
    """Global average pooling, a 1x1 convolution, and its activation (the head of MobileNetV3)."""

    def __init__(self, shape: Convolution) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape.in_channels, shape.out_channels, 1, bias=shape.bias)
        self.activation = shape.activation
        initialise_filter(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, 1, 1]."""
        return ACTIVATIONS[self.activation](self.conv(x.mean((2, 3), keepdim=True)))


def make_head(shape: Convolution) -> nn.Module:
    """Return the module of `NetworkSpec.head`."""
    if not shape.kernel_size:
        return nn.Identity()
    return PooledConv(shape) if shape.after_pooling else ConvBN(shape)


def set_batchnorm(modules: Iterable[nn.Module], spec: NetworkSpec) -> None:
    """Give batch normalisations the epsilon and the momentum of a network."""
    for module in modules:
        module.eps, module.momentum = spec.bn_eps, spec.bn_momentum  # type: ignore[assignment]


class SqueezeExcite(nn.Module):
    """Squeeze and excitation (arXiv 1709.01507): scales each channel by a function of the means of all channels."""

    def __init__(self, shape: Convolution) -> None:
        super().__init__()
        self.reduce = nn.Linear(shape.out_channels, shape.se_channels)
        self.expand = nn.Linear(shape.se_channels, shape.out_channels)
        self.activation, self.gate = shape.se_activation, shape.se_gate

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, H, W] to the same shape."""
        hidden = ACTIVATIONS[self.activation](self.reduce(x.mean((2, 3))))
        return excite(x, self.expand(hidden), self.gate)


def excite(x: Tensor, logits: Tensor, gate: str) -> Tensor:
    """Scale the channels of x [N, C, H, W] by the gate of `logits` [N, C]."""
    return x * GATES[gate](logits)[:, :, None, None]


def make_own(spec: LayerSpec) -> nn.Module:
    """Return a new module of a user's operation."""
    assert spec.own is not None
    module: nn.Module = spec.own.make(spec.in_channels, spec.out_channels, spec.stride, spec.kernel_size)
    return module


class Layer(nn.Sequential):
    """One layer: its convolutions in order, squeeze and excitation between them, and the residual connection.

    The layer of a user's operation has its module instead, under the name `own`.
    """

    def __init__(self, spec: LayerSpec) -> None:
        stages: OrderedDict[str, nn.Module] = OrderedDict([("own", make_own(spec))] if spec.own else [])
        for shape in spec.convolutions:
            stages[shape.name] = ConvBN(shape)
            if shape.se_channels:
                stages["squeeze_excite"] = SqueezeExcite(shape)
        super().__init__(stages)
        self.residual = spec.residual

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        y: Tensor = super().forward(x)
        return x + y if self.residual else y


class Classifier(nn.Linear):
    """Global average pooling, dropout, and a linear layer."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__(channels, num_classes)
        self.dropout = dropout
        nn.init.normal_(self.weight, std=0.01)  # as in MobileNetV2: the first class probabilities are almost equal
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, H, W] to logits [N, num_classes]."""
        return super().forward(F.dropout(x.mean((2, 3)), self.dropout, self.training))
