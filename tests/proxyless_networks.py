"""The published ProxylessNAS networks as plain torch modules, which share no code with nasmake.

The tables hold the facts of the files proxyless_*.config of the authors' repository mit-han-lab/proxylessnas, as the
model zoo pytorchcv (osmr/imgclsmob, proxylessnas.py) lists them. All networks have ReLU6, and 1e-3 as the epsilon of
batch normalisation.
"""

from torch import Tensor, nn

# Name: channels of the stem and of the last 1x1 convolution, and stages of (width, blocks). The first block of a stage
# has the stride 2, apart from those of the first stage and of stages that begin with `same`. A block is its kernel size
# and its expansion ratio; `-` is a block that the search dropped.
NETWORKS = {
    "proxyless_cpu": (
        *(40, 1432),
        [(24, "31"), (32, "36 33 33 33"), (48, "36 33 33 53"), (88, "36 - - 33")],
        [(104, "same 56 33 33 33"), (216, "56 53 53 33"), (360, "same 56")],
    ),
    "proxyless_gpu": (
        *(40, 1728),
        [(24, "31"), (32, "53 - - -"), (56, "73 - - 33"), (112, "76 - - 53")],
        [(128, "same 56 - 33 53"), (256, "76 76 76 56"), (432, "same 76")],
    ),
    "proxyless_mobile": (
        *(32, 1280),
        [(16, "31"), (32, "53 33 - -"), (40, "73 33 53 53"), (80, "76 53 53 53")],
        [(96, "same 56 53 53 53"), (192, "76 76 73 73"), (320, "same 76")],
    ),
    "proxyless_mobile_14": (
        *(48, 1792),
        [(24, "31"), (40, "53 33 - -"), (56, "73 33 53 53"), (112, "76 53 53 53")],
        [(136, "same 56 53 53 53"), (256, "76 76 73 73"), (448, "same 76")],
    ),
}


def proxyless(name: str) -> nn.Sequential:
    """Return a published network for 1,000 classes."""
    channels, last, *halves = NETWORKS[name]
    layers: list[nn.Module] = [convolution(3, channels, 3, 2)]
    for stage, (width, text) in enumerate(half for stages in halves for half in stages):
        blocks = text.removeprefix("same ").split()
        stride = 1 if stage == 0 or text.startswith("same") else 2
        for kernel, expansion in (map(int, block) for block in blocks if block != "-"):
            layers.append(Block(channels, width, kernel, expansion, stride))
            channels, stride = width, 1
    layers += [convolution(channels, last, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 1000)]
    return nn.Sequential(*layers)


def convolution(channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalisation and ReLU6."""
    layer = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width, eps=1e-3), nn.ReLU6())


class Block(nn.Module):
    """An inverted bottleneck, with a residual connection if it changes neither the width nor the image size."""

    def __init__(self, channels: int, width: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.layers = nn.Sequential(
            *([convolution(channels, inner, 1)] if expansion > 1 else []),
            convolution(inner, inner, kernel, stride, groups=inner),
            convolution(inner, width, 1)[:2],
        )
        self.has_shortcut = channels == width and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of images [N, C, H, W]."""
        features: Tensor = self.layers(images)
        return images + features if self.has_shortcut else features
