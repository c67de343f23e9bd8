"""How the supernet draws paths while it trains."""

from nasmake.samplers.asng import Asng
from nasmake.samplers.base import Sampler
from nasmake.samplers.fair import Fair
from nasmake.samplers.sandwich import Sandwich
from nasmake.samplers.uniform import Uniform

SAMPLERS: dict[str, type[Sampler]] = {"uniform": Uniform, "fair": Fair, "sandwich": Sandwich, "asng": Asng}

__all__ = ["SAMPLERS", "Asng", "Sampler"]
