"""Search spaces: which networks there are, and how a vector of decisions names one. Standard library only."""

from nasmake.search_spaces.architecture import Architecture
from nasmake.search_spaces.blocks import Block, Decision
from nasmake.search_spaces.space import Decisions, SearchSpace
from nasmake.search_spaces.spec import Convolution, LayerSpec, NetworkSpec

__all__ = [
    "Architecture",
    "Block",
    "Convolution",
    "Decision",
    "Decisions",
    "LayerSpec",
    "NetworkSpec",
    "SearchSpace",
]
