"""The supernet: the shared weights of all networks of a search space.

At every position of every block, each operation with each kernel size owns a layer; widths and expansion ratios share
that layer's weights by slicing (the first n channels), and layer counts share the positions. With separate weights
(`weight_sharing="separate"`, the candidate operations of ProxylessNAS, arXiv 1812.00332, section 3.1) every shape of a
layer owns one. A forward pass computes the active subnet at its true size, nothing else.

A sliced weight is stored as chunks, cut where a choice may end, and not as one tensor. So the chunks that the active
subnet leaves out have no gradient (None, not zeros), and momentum and weight decay do not move them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasmake.layers import EPSILON, MOMENTUM, Classifier, ConvBN, Layer, excite, initialise_filter
from nasmake.networks import Network
from nasmake.search_spaces import Convolution, Decisions, LayerSpec, NetworkSpec, SearchSpace

WeightSharing = Literal["sliced", "separate"]


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
        out_widths = sorted({shape.out_width for shape in shapes})
        in_widths = [] if shapes[0].depthwise else sorted({shape.in_width for shape in shapes})
        size = shapes[0].kernel_size
        full = initialise_filter(torch.empty(out_widths[-1], in_widths[-1] if in_widths else 1, size, size))
        self.weight = SlicedTensor(full, out_widths, in_widths)
        self.bn = SlicedBatchNorm(out_widths)
        self.activate(shapes[0])

    def activate(self, shape: Convolution) -> None:
        """Compute `shape` from now on."""
        super().activate(shape)
        self.bn.width = shape.out_width

    def forward(self, x: Tensor) -> Tensor:
        """From [N, in_width, H, W] to [N, out_width, H', W']."""
        shape = self.shape
        weight = self.weight(shape.out_width, shape.in_width)
        groups = shape.in_width if shape.depthwise else 1
        x = self.bn(F.conv2d(x, weight, None, shape.stride, shape.kernel_size // 2, groups=groups))
        return F.relu(x, inplace=True) if shape.relu else x

    def active_state(self) -> dict[str, Tensor]:
        """The active slice as the state of a `layers.ConvBN`."""
        weight = self.weight(self.shape.out_width, self.shape.in_width)
        return _merged({"conv": {"weight": weight}, "bn": self.bn.active_state()})


class SharedLinear(nn.Module):
    """The weights of linear layers that differ in their widths only."""

    def __init__(self, in_widths: Sequence[int], out_widths: Sequence[int]) -> None:
        super().__init__()
        full = nn.Linear(in_widths[-1], out_widths[-1])
        self.weight = SlicedTensor(full.weight.detach(), out_widths, in_widths)
        self.bias = SlicedTensor(full.bias.detach(), out_widths)

    def forward(self, x: Tensor, out_width: int) -> Tensor:
        """From [N, in_width] to [N, out_width]."""
        return F.linear(x, self.weight(out_width, x.shape[1]), self.bias(out_width))

    def active_state(self, in_width: int, out_width: int) -> dict[str, Tensor]:
        """One slice as the state of an `nn.Linear`."""
        return {"weight": self.weight(out_width, in_width), "bias": self.bias(out_width)}


class SharedSqueezeExcite(SharedStage):
    """The weights of `layers.SqueezeExcite` behind convolutions that differ in their widths only."""

    def __init__(self, shapes: Sequence[Convolution]) -> None:
        super().__init__()
        widths, hidden = sorted({shape.out_width for shape in shapes}), sorted({shape.se_width for shape in shapes})
        self.reduce = SharedLinear(widths, hidden)
        self.expand = SharedLinear(hidden, widths)
        self.activate(shapes[0])

    def forward(self, x: Tensor) -> Tensor:
        """From [N, width, H, W] to the same shape."""
        hidden = F.relu(self.reduce(x.mean((2, 3)), self.shape.se_width))
        return excite(x, self.expand(hidden, self.shape.out_width))

    def active_state(self) -> dict[str, Tensor]:
        """The active slice as the state of a `layers.SqueezeExcite`."""
        width, hidden = self.shape.out_width, self.shape.se_width
        reduce, expand = self.reduce.active_state(width, hidden), self.expand.active_state(hidden, width)
        return _merged({"reduce": reduce, "expand": expand})


class SharedLayer(nn.Module):
    """The weights of layers with the same operation and kernel size, at one position of one block."""

    def __init__(self, specs: Sequence[LayerSpec]) -> None:
        super().__init__()
        for shapes in zip(*(spec.convolutions for spec in specs), strict=True):
            self.add_module(shapes[0].name, SharedConvBN(shapes))
            if excited := [shape for shape in shapes if shape.se_width]:
                self.add_module("squeeze_excite", SharedSqueezeExcite(excited))
        self.activate(specs[0])

    def activate(self, spec: LayerSpec) -> None:
        """Compute `spec` from now on."""
        self.residual = spec.residual
        self.stages: list[tuple[str, SharedStage]] = []  # a list, for the modules are registered already
        for shape in spec.convolutions:
            for name in (shape.name, "squeeze_excite") if shape.se_width else (shape.name,):
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


class Supernet(nn.Module):
    """All networks of a search space; at first the one whose decisions are all 0 is active.

    Fresh weights are drawn from torch's default generator. Batch normalisation statistics are those of whichever
    subnets ran last: call `recalibrate_batchnorm` before a subnet is used in evaluation mode.

    Args:
        space: the search space.
        in_channels: channels of the images.
        weight_sharing: sliced or separate; stem, head and classifier are shared in both.
        class_num: outputs; None: as many as the space has classes.
    """

    spec: NetworkSpec

    def __init__(
        self,
        space: SearchSpace,
        in_channels: int,
        weight_sharing: WeightSharing = "sliced",
        class_num: int | None = None,
    ) -> None:
        super().__init__()
        self.space, self.in_channels = space, in_channels
        self._candidate = CANDIDATES[weight_sharing]
        spec = space.decode((0,) * len(space.decisions))
        self.stem = ConvBN(spec.stem(in_channels))
        self.fixed = nn.ModuleList(nn.Sequential(*map(Layer, block)) for block in space.fixed)
        self.blocks = nn.ModuleList(_block(space, index, self._candidate) for index in range(len(space.blocks)))
        self.head = SharedConvBN([replace(spec.head, in_width=width) for width in space.last_widths])
        self.classifier = Classifier(spec.head_width, class_num or spec.class_num, spec.dropout)
        self.set_active_subnet((0,) * len(space.decisions))

    def set_active_subnet(self, decisions: Decisions) -> None:
        """Compute the network of `decisions`, which must satisfy `space.check`, from now on."""
        self.spec = self.space.decode(decisions)
        searched = self.spec.blocks[len(self.fixed) :]
        self.path = [self.activate(index, layers) for index, layers in enumerate(searched)]
        self.head.activate(self.spec.head)

    def activate(self, block: int, layers: Sequence[LayerSpec]) -> list[SharedLayer]:
        """Where the weights of `layers` are, which the block may become; they compute them from now on."""
        positions = cast(Sequence[nn.ModuleDict], self.blocks[block])
        found = [
            cast(SharedLayer, candidates[self._candidate(layer)])
            for candidates, layer in zip(positions, layers, strict=False)
        ]
        for candidate, layer in zip(found, layers, strict=True):
            candidate.activate(layer)
        return found

    def sample_active_subnet(self, rng: Random) -> Decisions:
        """Activate, and return the decisions of, a subnet drawn by `space.sample`."""
        decisions = self.space.sample(rng)
        self.set_active_subnet(decisions)
        return decisions

    def forward(self, x: Tensor) -> Tensor:
        """From images [N, in_channels, H, W] to the active subnet's logits [N, class_num]."""
        x = self.stem(x)
        for block in self.fixed:
            x = block(x)
        for layers in self.path:
            for layer in layers:
                x = layer(x)
        logits: Tensor = self.classifier(self.head(x))
        return logits

    def get_active_subnet(self) -> Network:
        """The active subnet as a network of its own, with copies of its weights and statistics; no random draw."""
        with torch.device("meta"):
            network = Network(replace(self.spec, class_num=self.classifier.out_features), self.in_channels)
        blocks = [_merged({str(i): layer.active_state() for i, layer in enumerate(layers)}) for layers in self.path]
        fixed = [block.state_dict() for block in self.fixed]
        parts = {
            "stem": self.stem.state_dict(),
            "blocks": _merged({str(index): state for index, state in enumerate([*fixed, *blocks])}),
            "head": self.head.active_state(),
            "classifier": self.classifier.state_dict(),
        }
        copies = {name: tensor.detach().clone() for name, tensor in _merged(parts).items()}
        network.load_state_dict(copies, assign=True)
        return network.train(self.training)

    def batchnorms(self) -> list[nn.Module]:
        """The batch normalisations of the active subnet."""
        active = [self.stem, *self.fixed, self.head]
        active += [stage for layers in self.path for layer in layers for _, stage in layer.stages]
        return [module for part in active for module in part.modules() if isinstance(module, NORMS)]


@contextmanager
def batch_statistics(supernet: Supernet) -> Iterator[None]:
    """Normalise by the statistics of each batch and remember none; dropout is off. For scores of single batches."""
    was_training = supernet.training
    supernet.eval()
    norms: list[Any] = [module for module in supernet.modules() if isinstance(module, NORMS)]
    for norm in norms:
        norm.train()
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm in norms:
            norm.momentum = MOMENTUM
        supernet.train(was_training)


@torch.no_grad()
def recalibrate_batchnorm(model: Network | Supernet, batches: Iterable[Tensor]) -> None:
    """Replace the statistics of the batch normalisations in use by the mean over `batches`; then evaluation mode.

    Every batch counts the same, so all should be of one size. Dropout is off. Of a supernet, only the active subnet's
    statistics change.

    Args:
        model: left in evaluation mode.
        batches: images [N, C, H, W] as in training, but not augmented.

    Raises:
        ValueError: there is no batch.
    """
    model.eval()
    norms: list[Any] = model.batchnorms()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    count = 0
    for count, batch in enumerate(batches, 1):
        for norm in norms:
            norm.momentum = 1 / count  # makes the running statistics the mean over all batches so far
        model(batch)
    for norm in norms:
        norm.momentum = MOMENTUM
        norm.eval()
    if not count:
        raise ValueError("recalibrate_batchnorm: no batch")


def _block(space: SearchSpace, index: int, candidate: Callable[[LayerSpec], str]) -> nn.ModuleList:
    """For every position of a block the layers that can stand there, by the name of their candidate."""
    positions: list[dict[str, dict[LayerSpec, None]]] = [{} for _ in range(max(space.blocks[index].depth))]
    for in_width in space.blocks[index].in_widths:
        for layers in space.vectors(index, in_width):
            for candidates, layer in zip(positions, layers, strict=False):
                candidates.setdefault(candidate(layer), {})[layer] = None
    return nn.ModuleList(
        nn.ModuleDict({name: SharedLayer(list(specs)) for name, specs in candidates.items()})
        for candidates in positions
    )


def _sliced_candidate(layer: LayerSpec) -> str:
    return f"{layer.op}_k{layer.kernel_size}"


def _separate_candidate(layer: LayerSpec) -> str:
    """With all that weights and statistics depend on; a residual connection and a stride have no weights."""
    shape = f"e{layer.expand_ratio}_i{layer.in_width}_o{layer.out_width}_se{layer.se_width}"
    return f"{_sliced_candidate(layer)}_{shape}"


CANDIDATES: dict[WeightSharing, Callable[[LayerSpec], str]] = {  # layers of one name share their weights
    "sliced": _sliced_candidate,
    "separate": _separate_candidate,
}


def _merged(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One state of many, each under its name."""
    return {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
