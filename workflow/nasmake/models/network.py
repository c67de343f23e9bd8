"""The stand-alone network of one architecture. Its layers live in layers.py."""

from torch import Tensor, nn

from nasmake.models.layers import Classifier, ConvBN, Layer, make_head, set_batchnorm
from nasmake.search_spaces import NetworkSpec


class Network(nn.Module):
    """A network with new weights, drawn from torch's default generator.

    State dict names count blocks and layers from 0: `blocks.3.1.expand.conv.weight` is the weight of the expansion in
    the second layer of the fourth block. An empty block has no entries.

    Args:
        spec: the network.
        in_channels: channels of the images.
    """

    def __init__(self, spec: NetworkSpec, in_channels: int) -> None:
        super().__init__()
        self.spec = spec
        self.stem = ConvBN(spec.stem(in_channels))
        self.blocks = nn.Sequential(*(nn.Sequential(*map(Layer, block)) for block in spec.blocks))
        self.head = make_head(spec.head)
        self.classifier = Classifier(spec.head.out_channels, spec.num_classes, spec.dropout)
        set_batchnorm(self.batchnorms(), spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, in_channels, H, W] to logits [N, num_classes]."""
        logits: Tensor = self.classifier(self.head(self.blocks(self.stem(x))))
        return logits

    def batchnorms(self) -> list[nn.Module]:
        """Return all batch normalisations."""
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
