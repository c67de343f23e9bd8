"""The complete description of one network: it is enough to build the network and to compute its cost.

A network is a 3x3 stem, blocks of layers, a 1x1 head, global average pooling, dropout and a linear classifier. Every
convolution is followed by batch normalisation and has no bias.

    conv     k x k, ReLU                              (squeeze and excitation)
    sepconv  depthwise k x k, ReLU, (squeeze and excitation), 1x1
    mbconv   1x1 to expand_ratio times the channels, ReLU, depthwise k x k, ReLU, (squeeze and excitation), 1x1

An mbconv has its expansion at ratio 1 too (as in FBNet, arXiv 1812.03443), so it is never the same network as a
sepconv. A residual connection needs stride 1 and as many output as input channels.

Search spaces and files live beside this module, the torch modules in models. This module imports nothing of nasmake.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

OPERATIONS = ("conv", "sepconv", "mbconv")
TIMM_OPERATIONS = {"conv": "cn", "sepconv": "ds", "mbconv": "ir"}

Run = dict[str, Any]  # equal layers that follow each other, as JSON


@dataclass(frozen=True)
class Convolution:
    """One square convolution with batch normalisation; its padding keeps the image size at stride 1.

    Attributes:
        name: name of the torch module that computes it.
        relu: whether a ReLU follows the batch normalisation.
        se_channels: hidden channels of the squeeze and excitation after the activation; 0 means none.
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
        expand_ratio: inner channels over input channels of an mbconv; 1 for the other operations.
        residual: whether the input is added to the output.
        se_channels: hidden channels of squeeze and excitation; 0 means none.
        se_ratio: the ratio that gave `se_channels`, for people; several ratios can give the same number of channels.
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
        """The layer's convolutions, in the order of computation."""
        size, se_channels = (self.kernel_size, self.stride), self.se_channels
        if self.op == "conv":
            return (Convolution("conv", self.in_channels, self.out_channels, *size, se_channels=se_channels),)
        inner = self.in_channels * self.expand_ratio
        expand = Convolution("expand", self.in_channels, inner, 1)
        depthwise = Convolution("depthwise", inner, inner, *size, depthwise=True, se_channels=se_channels)
        project = Convolution("project", inner, self.out_channels, 1, relu=False)
        return (expand, depthwise, project) if self.op == "mbconv" else (depthwise, project)


def squeeze_channels(ratio: float, in_channels: int) -> int:
    """Return the hidden channels of squeeze and excitation in a layer with `in_channels` channels; 0 for ratio 0."""
    return max(1, int(ratio * in_channels)) if ratio else 0


@dataclass(frozen=True)
class NetworkSpec:
    """One network; the channels and the size of its images are not part of it.

    Attributes:
        blocks: the layers of each block; a block without layers passes its input on.
        head_channels: output channels of the 1x1 convolution before the pooling.
        dropout: dropout probability before the classifier, in [0, 1).
    """

    stem_channels: int
    stem_stride: int
    blocks: tuple[tuple[LayerSpec, ...], ...]
    head_channels: int
    num_classes: int
    dropout: float

    def stem(self, in_channels: int) -> Convolution:
        """Return the first convolution, for images with `in_channels` channels."""
        return Convolution("stem", in_channels, self.stem_channels, 3, self.stem_stride)

    @property
    def head(self) -> Convolution:
        """The last convolution."""
        channels = [self.stem_channels, *(layer.out_channels for block in self.blocks for layer in block)]
        return Convolution("head", channels[-1], self.head_channels, 1)

    def readable(self) -> list[Run | list[Run]]:
        """Return the blocks as JSON.

        A block is one run of equal layers with their `depth`, a list of runs if its layers differ, or {"op": "zero"} if
        it has no layers. The stride is that of the run's first layer. `skip` tells whether those layers of the run
        whose shapes allow a residual connection have one.
        """
        runs_by_block = [_runs(block) or [{"op": "zero"}] for block in self.blocks]
        return [runs[0] if len(runs) == 1 else runs for runs in runs_by_block]

    def runs(self) -> list[Run]:
        """Return the runs of `readable` as one flat list."""
        return [run for block in self.blocks for run in _runs(block) or [{"op": "zero"}]]

    def string(self) -> str:
        """Return timm's shorthand, such as `ds_r1_k3_s1_c16_noskip ir_r2_k3_s2_e6_c24`; empty blocks are left out.

        In the shorthand a conv has a residual connection only with `skip`; other layers have one without `noskip`.
        """
        texts = []
        for run in (run for block in self.blocks for run in _runs(block)):
            parts = [TIMM_OPERATIONS[run["op"]], f"r{run['depth']}", f"k{run['kernel_size']}", f"s{run['stride']}"]
            if run["op"] == "mbconv":
                parts.append(f"e{run['expand_ratio']}")
            parts.append(f"c{run['width']}")
            if run["se_ratio"]:
                parts.append(f"se{run['se_ratio']:g}")
            if run["skip"] == (run["op"] == "conv"):
                parts.append("skip" if run["skip"] else "noskip")
            texts.append("_".join(parts))
        return " ".join(texts)


def _runs(block: tuple[LayerSpec, ...]) -> list[Run]:
    """Return the layers of a block as runs of equal layers; the stride belongs to the run's first layer alone."""
    runs: list[Run] = []
    for layer in block:
        allows_residual = layer.stride == 1 and layer.in_channels == layer.out_channels
        run = {
            "op": layer.op,
            "depth": 1,
            "kernel_size": layer.kernel_size,
            "stride": layer.stride,
            "expand_ratio": layer.expand_ratio,
            "width": layer.out_channels,
            "se_ratio": layer.se_ratio,
            "skip": layer.residual if allows_residual else None,  # None: the layer fits a run with skip and one without
        }
        last = runs[-1] if runs and layer.stride == 1 else {}
        is_equal = all(last.get(key) == run[key] for key in ("op", "kernel_size", "expand_ratio", "width", "se_ratio"))
        if is_equal and last["skip"] in (None, run["skip"]):
            last |= {"depth": last["depth"] + 1, "skip": run["skip"]}
        else:
            runs.append(run)
    return [run | {"skip": run["skip"] is not False} for run in runs]
