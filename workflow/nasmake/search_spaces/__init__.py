"""Search spaces: the networks that a study can choose from, and the decision vectors that choose them.

Here are also the readers of space files and architecture files. Costs, torch modules and search strategies live in
other rooms. This room imports core only; the Snakefile imports it, so it loads neither torch nor numpy.
"""

from nasmake.search_spaces.architecture import Architecture
from nasmake.search_spaces.blocks import Block, Decision
from nasmake.search_spaces.own_operations import OwnOperation
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
    "OwnOperation",
    "SearchSpace",
]
