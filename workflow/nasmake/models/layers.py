"""The layers of a stand-alone network.

Images are [N, C, H, W]; every layer keeps their memory layout, contiguous or channels_last. The whole network lives in
network.py, layers with shared weights in sliced.py. tests/models/test_network.py tests this module.
"""

from collections import OrderedDict
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasmake.search_spaces import Convolution, LayerSpec

EPSILON = 1e-3  # of batch normalisation: the predecessor's value
MOMENTUM = 0.1  # torch's default; with the predecessor's 0.01, statistics of a short training contain its first steps
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
    """A convolution, its batch normalisation, and a ReLU if the convolution has one."""

    def __init__(self, shape: Convolution) -> None:
        super().__init__()
        size, groups = shape.kernel_size, shape.in_channels if shape.depthwise else 1
        self.conv = nn.Conv2d(
            shape.in_channels, shape.out_channels, size, shape.stride, size // 2, groups=groups, bias=False
        )
        self.bn: nn.Module = nn.BatchNorm2d(shape.out_channels, eps=EPSILON, momentum=MOMENTUM)
        self.relu = shape.relu
        initialise_filter(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, out_channels, H', W'] with H' = H / stride, rounded up."""
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class SqueezeExcite(nn.Module):
    """Squeeze and excitation (arXiv 1709.01507): scales each channel by a function of the means of all channels."""

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, hidden_channels)
        self.expand = nn.Linear(hidden_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, H, W] to the same shape."""
        return excite(x, self.expand(F.relu(self.reduce(x.mean((2, 3))))))


def excite(x: Tensor, logits: Tensor) -> Tensor:
    """Scale the channels of x [N, C, H, W] by the sigmoid of `logits` [N, C]."""
    return x * logits.sigmoid()[:, :, None, None]


class Layer(nn.Sequential):
    """One layer: its convolutions in order, squeeze and excitation between them, and the residual connection."""

    def __init__(self, spec: LayerSpec) -> None:
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for shape in spec.convolutions:
            stages[shape.name] = ConvBN(shape)
            if shape.se_channels:
                stages["squeeze_excite"] = SqueezeExcite(shape.out_channels, shape.se_channels)
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
