"""The supernet: the shared weights of all networks of a search space.

At every position of every block, each operation with each kernel size has a candidate layer. Layers that differ in
channels or expansion ratio share its weights by slicing (they use the first n channels). Blocks with different numbers
of layers share the positions. With separate weights (`weight_sharing="separate"`, the candidate operations of
ProxylessNAS, arXiv 1812.00332, section 3.1) every shape of a layer has a candidate layer for itself. With elastic
kernels (`weight_sharing="elastic"`, once-for-all, arXiv 1908.09791) all kernel sizes of an operation share a candidate.
Operations that a user wrote in Python have separate weights in all modes.
A forward pass computes the active subnet at its true size and nothing else.

A sliced weight is stored as chunks, cut where a choice may end, and not as one tensor. So the chunks outside the active
subnet have no gradient (None, not zeros), and momentum and weight decay do not move them.

Training the supernet lives in stages, recalibration in batchnorm.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Literal, cast

import torch
from torch import Tensor, nn

from nasmake.models.layers import Classifier, ConvBN, Layer, set_batchnorm
from nasmake.models.network import Network
from nasmake.models.sliced import NORMS, SharedConvBN, SharedLayer, SharedPooledConv, merged_state
from nasmake.search_spaces import Decisions, LayerSpec, NetworkSpec, SearchSpace

WeightSharing = Literal["sliced", "separate", "elastic"]


class Supernet(nn.Module):
    """All networks of a search space. At first the network whose decisions are all 0 is active.

    New weights are drawn from torch's default generator. Batch normalisation statistics come from the subnets that ran
    last: call `recalibrate_batchnorm` before a subnet is used in evaluation mode.

    Args:
        space: the search space.
        in_channels: channels of the images.
        weight_sharing: sliced, separate or elastic; stem, head and classifier are shared in all.
        num_classes: number of outputs; None: the space's number of classes.

    Attributes:
        spec: the active subnet.
        path: the active layers of each searched block.
    """

    spec: NetworkSpec

    def __init__(
        self,
        space: SearchSpace,
        in_channels: int,
        weight_sharing: WeightSharing = "sliced",
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.space, self.in_channels = space, in_channels
        self._candidate_name = CANDIDATES[weight_sharing]
        spec = space.decode((0,) * len(space.decisions))
        self.stem = ConvBN(spec.stem(in_channels))
        self.fixed = nn.ModuleList(nn.Sequential(*map(Layer, block)) for block in space.fixed)
        self.blocks = nn.ModuleList(_block(space, index, self._candidate_name) for index in range(len(space.blocks)))
        make_head = SharedPooledConv if spec.head_after_pooling else SharedConvBN
        self.head = make_head([replace(spec.head, in_channels=count) for count in space.last_channel_choices])
        self.classifier = Classifier(spec.head_channels, num_classes or spec.num_classes, spec.dropout)
        set_batchnorm((module for module in self.modules() if isinstance(module, NORMS)), spec)
        self.set_active_subnet((0,) * len(space.decisions))

    def set_active_subnet(self, decisions: Decisions) -> None:
        """Activate the network of `decisions`, which must satisfy `space.check`."""
        self.spec = self.space.decode(decisions)
        searched = self.spec.blocks[len(self.fixed) :]
        self.path = [self.activate(index, layers) for index, layers in enumerate(searched)]
        self.head.activate(self.spec.head)

    def activate(self, block: int, layers: Sequence[LayerSpec]) -> list[SharedLayer]:
        """Activate the layers of one block.

        Args:
            block: index of the block among the searched blocks.
            layers: layers that the block can have.

        Returns:
            The modules that hold the layers' weights; they compute these layers now.
        """
        modules = []
        for candidates, layer in zip(cast(Sequence[nn.ModuleDict], self.blocks[block]), layers, strict=False):
            modules.append(cast(SharedLayer, candidates[self._candidate_name(layer)]))
            modules[-1].activate(layer)
        return modules

    def sample_active_subnet(self, rng: Random) -> Decisions:
        """Activate a subnet drawn by `space.sample`, and return its decisions."""
        decisions = self.space.sample(rng)
        self.set_active_subnet(decisions)
        return decisions

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, in_channels, H, W] to the logits [N, num_classes] of the active subnet."""
        x = self.stem(x)
        for block in self.fixed:
            x = block(x)
        for layers in self.path:
            for layer in layers:
                x = layer(x)
        logits: Tensor = self.classifier(self.head(x))
        return logits

    def get_active_subnet(self) -> Network:
        """Return the active subnet as a stand-alone network with copies of weights and statistics; draws nothing."""
        with torch.device("meta"):
            network = Network(replace(self.spec, num_classes=self.classifier.out_features), self.in_channels)
        blocks = [
            merged_state({str(i): layer.active_state() for i, layer in enumerate(layers)}) for layers in self.path
        ]
        fixed = [block.state_dict() for block in self.fixed]
        parts = {
            "stem": self.stem.state_dict(),
            "blocks": merged_state({str(index): state for index, state in enumerate([*fixed, *blocks])}),
            "head": self.head.active_state(),
            "classifier": self.classifier.state_dict(),
        }
        copies = {name: tensor.detach().clone() for name, tensor in merged_state(parts).items()}
        network.load_state_dict(copies, assign=True)
        return network.train(self.training)

    def batchnorms(self) -> list[nn.Module]:
        """Return the batch normalisations of the active subnet."""
        active = [self.stem, *self.fixed, self.head]
        active += [stage for layers in self.path for layer in layers for _, stage in layer.stages]
        return [module for part in active for module in part.modules() if isinstance(module, NORMS)]


def _block(space: SearchSpace, index: int, candidate_name: Callable[[LayerSpec], str]) -> nn.ModuleList:
    """Return for every position of a block its candidate layers by name."""
    positions: list[dict[str, dict[LayerSpec, None]]] = [{} for _ in range(max(space.blocks[index].depth))]
    for in_channels in space.blocks[index].in_channel_choices:
        for layers in space.vectors(index, in_channels):
            for candidates, layer in zip(positions, layers, strict=False):
                candidates.setdefault(candidate_name(layer), {})[layer] = None
    return nn.ModuleList(
        nn.ModuleDict({name: SharedLayer(list(specs)) for name, specs in candidates.items()})
        for candidates in positions
    )


def _sliced_candidate(layer: LayerSpec) -> str:
    return _separate_candidate(layer) if layer.own else f"{layer.op}_k{layer.kernel_size}"


def _separate_candidate(layer: LayerSpec) -> str:
    """Return a name with all that weights and statistics depend on; stride and residual connection have no weights."""
    shape = f"e{layer.expand_ratio}_i{layer.in_channels}_o{layer.out_channels}_se{layer.se_channels}"
    return f"{layer.op}_k{layer.kernel_size}_{shape}"


CANDIDATES: dict[
    WeightSharing, Callable[[LayerSpec], str]
] = {  # the name of a layer's candidate; layers with the same name share weights
    "sliced": _sliced_candidate,
    "separate": _separate_candidate,
    "elastic": lambda layer: _separate_candidate(layer) if layer.own else layer.op,
}
