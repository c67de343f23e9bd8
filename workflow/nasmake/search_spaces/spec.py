"""The complete description of one network: it is enough to build the network and to compute its cost.

A network is a stem, blocks of layers, a 1x1 head, global average pooling, dropout and a linear classifier. Every
convolution is followed by batch normalisation and has no bias. A head after the pooling has a bias instead, as in
MobileNetV3 (arXiv 1905.02244).

    conv       k x k, activation                              (squeeze and excitation)
    depthwise  depthwise k x k, activation                    (squeeze and excitation)
    sepconv    depthwise k x k, activation, (squeeze and excitation), 1x1
    mbconv     1x1 to expand_ratio times the channels, activation, depthwise k x k, activation,
               (squeeze and excitation), 1x1
    fused      k x k to expand_ratio times the channels, activation, (squeeze and excitation), 1x1

An mbconv has its expansion at ratio 1 too (as in FBNet, arXiv 1812.03443), so it is never the same network as a
sepconv. A residual connection needs stride 1 and as many output as input channels.

A layer can also have an operation that a user wrote in Python, see own_operations.py. It has no convolutions here,
and neither expansion nor squeeze and excitation.

Search spaces and files live beside this module, the torch modules in models. This module imports own_operations only.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nasmake.search_spaces.own_operations import OwnOperation

OPERATIONS = ("conv", "depthwise", "sepconv", "mbconv", "fused")
EXPANDING = ("mbconv", "fused")  # the operations with an expansion
TIMM_OPERATIONS = {"conv": "cn", "depthwise": "dw", "sepconv": "ds", "mbconv": "ir", "fused": "er"}  # dw: not in timm
ACTIVATIONS = ("relu", "relu6", "silu", "hard_swish")
GATES = ("sigmoid", "hard_sigmoid")
TIMM_ACTIVATIONS = {"relu": "re", "relu6": "r6", "silu": "sw", "hard_swish": "hs"}
BN_EPSILON = 1e-3  # the predecessor's value
BN_MOMENTUM = (
    0.1  # torch's default; with the predecessor's 0.01, statistics of a short training contain its first steps
)

STYLE = {"activation": "relu", "se_activation": "relu", "se_gate": "sigmoid"}  # of a layer, with the defaults
Run = dict[str, Any]  # equal layers that follow each other, as JSON


@dataclass(frozen=True)
class Convolution:
    """One square convolution with batch normalisation; its padding keeps the image size at stride 1.

    Attributes:
        name: name of the torch module that computes it.
        kernel_size: 0 for the head of a network without one, which passes its input on.
        activation: one of ACTIVATIONS; None: no activation follows.
        se_channels: hidden channels of the squeeze and excitation after the activation; 0 means none.
        se_activation: activation of these hidden channels, one of ACTIVATIONS.
        se_gate: maps the outputs of squeeze and excitation to [0, 1], one of GATES.
        after_pooling: whether the images are averaged before; the convolution then has no normalisation.
        bias: whether it has a bias.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    depthwise: bool = False
    activation: str | None = "relu"
    se_channels: int = 0
    se_activation: str = "relu"
    se_gate: str = "sigmoid"
    after_pooling: bool = False
    bias: bool = False


@dataclass(frozen=True)
class LayerSpec:
    """One layer; two layers are equal when they are the same network.

    Attributes:
        op: one of OPERATIONS, or an OwnOperation.
        expand_ratio: inner channels over input channels of an mbconv or fused; 1 for the other operations. The inner
            channels are rounded.
        residual: whether the input is added to the output.
        se_channels: hidden channels of squeeze and excitation; 0 means none.
        se_ratio: the ratio that gave `se_channels`, for people; several ratios can give the same number of
            channels. 0 if the file gave the channels themselves.
        activation: activation after all convolutions but the projection.
        se_activation: activation of the hidden channels of squeeze and excitation.
        se_gate: gate of squeeze and excitation.
    """

    op: str
    kernel_size: int
    expand_ratio: float
    in_channels: int
    out_channels: int
    stride: int
    residual: bool
    se_channels: int = 0
    se_ratio: float = field(default=0.0, compare=False)
    activation: str = "relu"
    se_activation: str = "relu"
    se_gate: str = "sigmoid"

    @property
    def own(self) -> OwnOperation | None:
        """The operation if a user wrote it in Python, else None."""
        return self.op if isinstance(self.op, OwnOperation) else None

    @property
    def inner_channels(self) -> int:
        """Channels between expansion and projection."""
        return max(1, round(self.in_channels * self.expand_ratio))

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layer's convolutions, in the order of computation; none for an operation of a user."""
        if self.own:
            return ()
        size, inner = (self.kernel_size, self.stride), self.inner_channels
        excited: dict[str, Any] = {
            "activation": self.activation,
            "se_channels": self.se_channels,
            "se_activation": self.se_activation,
            "se_gate": self.se_gate,
        }
        if self.op == "conv":
            return (Convolution("conv", self.in_channels, self.out_channels, *size, **excited),)
        project = Convolution("project", inner, self.out_channels, 1, activation=None)
        if self.op == "fused":
            return Convolution("expand", self.in_channels, inner, *size, **excited), project
        depthwise = Convolution("depthwise", inner, inner, *size, depthwise=True, **excited)
        expand = Convolution("expand", self.in_channels, inner, 1, activation=self.activation)
        stages = {"depthwise": (depthwise,), "sepconv": (depthwise, project), "mbconv": (expand, depthwise, project)}
        return stages[self.op]


def squeeze_channels(ratio: float, channels: int, divisor: int = 1) -> int:
    """Return the hidden channels of squeeze and excitation; 0 for ratio 0.

    Args:
        ratio: hidden channels divided by `channels`, rounded down.
        channels: input or inner channels of the layer.
        divisor: the result is the nearest multiple of it, at least `divisor` and at least 90 % of the product
            (`_make_divisible` of MobileNetV2's authors).
    """
    if not ratio or divisor == 1:
        return max(1, int(ratio * channels)) if ratio else 0
    nearest = max(divisor, int(ratio * channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * ratio * channels else nearest


@dataclass(frozen=True)
class NetworkSpec:
    """One network; the channels and the size of its images are not part of it.

    Attributes:
        blocks: the layers of each block; a block without layers passes its input on.
        head_channels: output channels of the last 1x1 convolution; 0: the network has none.
        dropout: dropout probability before the classifier, in [0, 1).
        stem_kernel_size: kernel size of the stem.
        stem_activation: activation of the stem, one of ACTIVATIONS.
        head_activation: activation of the head, one of ACTIVATIONS.
        head_after_pooling: whether the head follows the pooling; it then has no normalisation.
        head_bias: whether a head after the pooling has a bias.
        bn_eps: epsilon of every batch normalisation.
        bn_momentum: momentum of every batch normalisation.
    """

    stem_channels: int
    stem_stride: int
    blocks: tuple[tuple[LayerSpec, ...], ...]
    head_channels: int
    num_classes: int
    dropout: float
    stem_kernel_size: int = 3
    stem_activation: str = "relu"
    head_activation: str = "relu"
    head_after_pooling: bool = False
    head_bias: bool = True
    bn_eps: float = BN_EPSILON
    bn_momentum: float = BN_MOMENTUM

    def stem(self, in_channels: int) -> Convolution:
        """Return the first convolution, for images with `in_channels` channels."""
        size, activation = self.stem_kernel_size, self.stem_activation
        return Convolution("stem", in_channels, self.stem_channels, size, self.stem_stride, activation=activation)

    @property
    def head(self) -> Convolution:
        """The last convolution; its kernel size is 0 in a network without a head."""
        channels = [self.stem_channels, *(layer.out_channels for block in self.blocks for layer in block)][-1]
        if not self.head_channels:
            return Convolution("head", channels, channels, 0)
        ending: dict[str, Any] = {"activation": self.head_activation, "after_pooling": self.head_after_pooling}
        bias = self.head_after_pooling and self.head_bias
        return Convolution("head", channels, self.head_channels, 1, bias=bias, **ending)

    @property
    def own_operations(self) -> list[OwnOperation]:
        """The operations of a user among the layers, one entry per layer."""
        return [layer.own for block in self.blocks for layer in block if layer.own]

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

        An operation of a user has its own name, which timm does not know. In the shorthand a conv has a residual
        connection only with `skip`; other layers have one without `noskip`.
        """
        texts = []
        layers = [layer for block in self.blocks for layer in block]
        for run in (run for block in self.blocks for run in _runs(block)):
            layer, layers = layers[0], layers[run["depth"] :]
            operation = layer.own or TIMM_OPERATIONS[layer.op]
            parts = [operation, f"r{run['depth']}", f"k{run['kernel_size']}", f"s{run['stride']}"]
            if run["op"] in EXPANDING:
                parts.append(f"e{layer.expand_ratio:.4g}")
            parts.append(f"c{layer.out_channels}")
            if layer.se_channels:
                parts.append(f"se{layer.se_ratio or layer.se_channels / layer.in_channels:g}")
            if layer.activation != "relu":
                parts.append(f"n{TIMM_ACTIVATIONS[layer.activation]}")
            if run["skip"] == (run["op"] == "conv"):
                parts.append("skip" if run["skip"] else "noskip")
            texts.append("_".join(parts))
        return " ".join(texts)


def _runs(block: tuple[LayerSpec, ...]) -> list[Run]:
    """Return the layers of a block as runs of equal layers; the stride belongs to the run's first layer alone."""
    runs: list[Run] = []
    for layer in block:
        allows_residual = layer.stride == 1 and layer.in_channels == layer.out_channels
        has_ratio = layer.expand_ratio == int(layer.expand_ratio)
        run = {
            "op": layer.op,
            "depth": 1,
            "kernel_size": layer.kernel_size,
            "stride": layer.stride,
            **({"expand_ratio": layer.expand_ratio} if has_ratio else {"expand_width": layer.inner_channels}),
            **({} if layer.op == "depthwise" else {"width": layer.out_channels}),
            **(
                {"se_width": layer.se_channels}
                if layer.se_channels and not layer.se_ratio
                else {"se_ratio": layer.se_ratio}
            ),
            "skip": layer.residual if allows_residual else None,  # None: the layer fits a run with skip and one without
            **{key: value for key in STYLE if (value := getattr(layer, key)) != STYLE[key]},
        }
        last = runs[-1] if runs and layer.stride == 1 else {}
        is_equal = _kind(last) == _kind(run)
        if is_equal and last["skip"] in (None, run["skip"]):
            last |= {"depth": last["depth"] + 1, "skip": run["skip"]}
        else:
            runs.append(run)
    return [run | {"skip": run["skip"] is not False} for run in runs]


def _kind(run: Run) -> Run:
    """Return what layers of one run have in common."""
    return {key: value for key, value in run.items() if key not in ("depth", "stride", "skip")}
