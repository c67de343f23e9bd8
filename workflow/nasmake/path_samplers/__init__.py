"""How the supernet draws paths while it trains."""

from nasmake.path_samplers.asng import Asng
from nasmake.path_samplers.base import PathSampler
from nasmake.path_samplers.fair import Fair
from nasmake.path_samplers.sandwich import Sandwich
from nasmake.path_samplers.uniform import Uniform

PATH_SAMPLERS: dict[str, type[PathSampler]] = {"uniform": Uniform, "fair": Fair, "sandwich": Sandwich, "asng": Asng}
__all__ = ["PATH_SAMPLERS", "Asng", "PathSampler"]
