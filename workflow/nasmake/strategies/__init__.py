"""How architectures are proposed, a generation at a time, from what was told of the generations before.

This package is imported while Snakemake reads the workflow: what needs numpy is loaded when it is asked for.
"""

from pkgutil import resolve_name

from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.search_spaces import SearchSpace
from nasmake.strategies.base import Evaluation, ProposingStrategy, Strategy

STRATEGIES = {  # search.algorithm -> "module:class"
    "random": "nasmake.strategies.random_search:RandomSearch",
    "evolution": "nasmake.strategies.evolution:Evolution",
    "asng": "nasmake.strategies.asng:AsngSearch",
    "reinforce": "nasmake.strategies.reinforce:ReinforceSearch",
    "proxyless": "nasmake.strategies.proxyless:ProxylessSearch",
    "nsga2": "nasmake.strategies.nsga2:Nsga2Search",
}


def strategy_of(algorithm: str) -> type[Strategy]:
    """The class behind a value of search.algorithm."""
    found: type[Strategy] = resolve_name(STRATEGIES[algorithm])
    return found


def make_strategy(space: SearchSpace, costs: CostTable, settings: Search) -> Strategy:
    """The strategy that `settings` name."""
    return strategy_of(str(settings.algorithm))(space, costs, settings)


__all__ = ["STRATEGIES", "Evaluation", "ProposingStrategy", "Strategy", "make_strategy", "strategy_of"]
