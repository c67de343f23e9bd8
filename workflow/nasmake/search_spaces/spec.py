"""The complete description of one network: enough by itself to build it and to cost it.

A network is a 3x3 stem, blocks of layers, a 1x1 head, global average pooling, dropout and a linear classifier. Every
convolution is followed by batch normalisation and has no bias.

    conv     k x k, ReLU                              (squeeze and excitation)
    sepconv  depthwise k x k, ReLU, (squeeze and excitation), 1x1
    mbconv   1x1 to expand_ratio times the width, ReLU, depthwise k x k, ReLU, (squeeze and excitation), 1x1

An mbconv has its expansion at ratio 1 too (as in FBNet, arXiv 1812.03443), so it is never the same network as a
sepconv. A residual connection needs stride 1 and equal widths.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

OPERATIONS = ("conv", "sepconv", "mbconv")
TIMM_OPERATIONS = {"conv": "cn", "sepconv": "ds", "mbconv": "ir"}

Run = dict[str, Any]  # equal layers that follow each other, as JSON


@dataclass(frozen=True)
class Convolution:
    """One convolution with its batch normalisation and what follows it; square, padded to keep the image size.

    Attributes:
        name: of the module that computes it.
        se_channels: hidden width of the squeeze and excitation behind the activation; 0 means none.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    depthwise: bool = False
    relu: bool = True
    se_channels: int = 0


@dataclass(frozen=True)
class LayerSpec:
    """One layer; two layers are equal when they are the same network.

    Attributes:
        op: conv, sepconv or mbconv.
        expand_ratio: inner width over input width of an mbconv; 1 for the others.
        se_channels: hidden width of squeeze and excitation; 0 means none.
        se_ratio: the ratio `se_channels` came from, for people; several ratios can give one width.
    """

    op: str
    kernel_size: int
    expand_ratio: int
    in_channels: int
    out_channels: int
    stride: int
    residual: bool
    se_channels: int = 0
    se_ratio: float = field(default=0.0, compare=False)

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """What the layer computes, in order."""
        size, se_channels = (self.kernel_size, self.stride), self.se_channels
        if self.op == "conv":
            return (Convolution("conv", self.in_channels, self.out_channels, *size, se_channels=se_channels),)
        inner = self.in_channels * self.expand_ratio
        expand = Convolution("expand", self.in_channels, inner, 1)
        depthwise = Convolution("depthwise", inner, inner, *size, depthwise=True, se_channels=se_channels)
        project = Convolution("project", inner, self.out_channels, 1, relu=False)
        return (expand, depthwise, project) if self.op == "mbconv" else (depthwise, project)

    @property
    def takes_residual(self) -> bool:
        """Whether input and output have the same shape."""
        return self.stride == 1 and self.in_channels == self.out_channels


def squeeze_channels(ratio: float, in_channels: int) -> int:
    """Hidden width of squeeze and excitation in a layer with `in_width` input channels; 0 for ratio 0."""
    return max(1, int(ratio * in_channels)) if ratio else 0


@dataclass(frozen=True)
class NetworkSpec:
    """One network, except for the number of channels and the size of its images.

    Attributes:
        blocks: the layers of each block; a block without layers passes its input on.
        head_channels: output channels of the 1x1 convolution before the pooling.
        dropout: probability, before the classifier.
    """

    stem_channels: int
    stem_stride: int
    blocks: tuple[tuple[LayerSpec, ...], ...]
    head_channels: int
    num_classes: int
    dropout: float

    def stem(self, in_channels: int) -> Convolution:
        """The first convolution, for images with `in_channels` channels."""
        return Convolution("stem", in_channels, self.stem_channels, 3, self.stem_stride)

    @property
    def head(self) -> Convolution:
        """The last convolution."""
        widths = [layer.out_channels for block in self.blocks for layer in block]
        return Convolution("head", widths[-1] if widths else self.stem_channels, self.head_channels, 1)

    def convolutions(self, in_channels: int) -> Iterator[Convolution]:
        """All convolutions from the image to the pooling, in order."""
        yield self.stem(in_channels)
        for block in self.blocks:
            for layer in block:
                yield from layer.convolutions
        yield self.head

    def readable(self) -> list[Run | list[Run]]:
        """The blocks as JSON: a run of equal layers with their `depth`, or {"op": "zero"} for a block without layers.

        A block of unequal layers is a list of runs. The stride is the first layer's; `skip` tells whether layers whose
        shapes allow it have a residual connection.
        """
        return [own[0] if len(own) == 1 else own for own in map(_runs_or_zero, self.blocks)]

    def runs(self) -> list[Run]:
        """The same, whatever the block that a run is in."""
        return [run for block in self.blocks for run in _runs_or_zero(block)]

    def string(self) -> str:
        """The blocks in timm's shorthand, such as `ds_r1_k3_s1_c16_noskip ir_r2_k3_s2_e6_c24`; empty blocks left out.

        In it a conv has no residual connection unless it says `skip`, the others have one unless they say `noskip`.
        """
        return " ".join(_timm(run) for block in self.blocks for run in _runs(block))


def _runs_or_zero(block: tuple[LayerSpec, ...]) -> list[Run]:
    return _runs(block) or [{"op": "zero"}]


def _runs(block: tuple[LayerSpec, ...]) -> list[Run]:
    runs: list[Run] = []
    for layer in block:
        run = _run(layer)
        if runs and _continues(run, runs[-1]):
            runs[-1]["depth"] += 1
            runs[-1]["skip"] = run["skip"]
        else:
            runs.append(run)
    return [run | {"skip": run["skip"] is not False} for run in runs]


def _run(layer: LayerSpec) -> Run:
    return {
        "op": layer.op,
        "depth": 1,
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "expand_ratio": layer.expand_ratio,
        "width": layer.out_channels,
        "se_ratio": layer.se_ratio,
        "skip": layer.residual if layer.takes_residual else None,  # None: fits a run with and one without
    }


def _continues(run: Run, last: Run) -> bool:
    shared = ("op", "kernel_size", "expand_ratio", "width", "se_ratio")
    return run["stride"] == 1 and all(run[key] == last[key] for key in shared) and last["skip"] in (None, run["skip"])


def _timm(run: Run) -> str:
    parts = [TIMM_OPERATIONS[run["op"]], f"r{run['depth']}", f"k{run['kernel_size']}", f"s{run['stride']}"]
    if run["op"] == "mbconv":
        parts.append(f"e{run['expand_ratio']}")
    parts.append(f"c{run['width']}")
    if run["se_ratio"]:
        parts.append(f"se{run['se_ratio']:g}")
    if run["skip"] == (run["op"] == "conv"):
        parts.append("skip" if run["skip"] else "noskip")
    return "_".join(parts)
