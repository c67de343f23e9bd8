"""How the supernet draws paths while it trains."""

import random
from collections.abc import Callable

from nasmake.search_spaces import Decisions, SearchSpace

Sampler = Callable[[SearchSpace, random.Random, int], list[Decisions]]


def uniform(space: SearchSpace, rng: random.Random, count: int) -> list[Decisions]:
    """Single path one-shot (Guo et al., arXiv 1904.00420, section 3.2): every decision vector is equally likely."""
    return [space.sample(rng) for _ in range(count)]


SAMPLERS: dict[str, Sampler] = {"uniform": uniform}
