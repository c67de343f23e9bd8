"""How the supernet draws paths while it trains."""

from nasmake.path_samplers.asng import Asng
from nasmake.path_samplers.base import Sampler
from nasmake.path_samplers.fair import Fair
from nasmake.path_samplers.sandwich import Sandwich
from nasmake.path_samplers.uniform import Uniform

SAMPLERS: dict[str, type[Sampler]] = {"uniform": Uniform, "fair": Fair, "sandwich": Sandwich, "asng": Asng}
__all__ = ["SAMPLERS", "Asng", "Sampler"]
