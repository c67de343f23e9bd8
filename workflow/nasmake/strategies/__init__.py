"""How architectures are proposed, a generation at a time, from what was told of the generations before."""

from nasmake.strategies.base import Evaluation, Strategy
from nasmake.strategies.evolution import Evolution
from nasmake.strategies.random_search import RandomSearch

STRATEGIES: dict[str, type[Strategy]] = {"random": RandomSearch, "evolution": Evolution}

__all__ = ["STRATEGIES", "Evaluation", "Evolution", "RandomSearch", "Strategy"]
