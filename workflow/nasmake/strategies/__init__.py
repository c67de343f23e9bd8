"""The search strategies: each proposes architectures and learns from the evaluations of earlier proposals.

This package holds the strategies, their update rules, the hard limits and the search loop. The stages that evaluate
networks are in `nasmake.stages`. It may import core, config, search_spaces, costs and study, but neither torch nor
Lightning. Snakemake imports this module while it reads the workflow, so modules with numpy are imported on demand.
"""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import NamedTuple

from nasmake.config.search import Search
from nasmake.core.declared import restrict
from nasmake.costs.table import CostTable
from nasmake.search_spaces import SearchSpace
from nasmake.strategies.base import Evaluation, ProposingStrategy, Strategy


class Entry(NamedTuple):
    """One search strategy.

    Attributes:
        target: the class as "module:class".
        reads: keys of section `search` that this strategy reads beside those of COMMON_READS.
        has_distribution: whether the strategy moves a distribution, which nas.type simultaneous needs.
    """

    target: str
    reads: tuple[str, ...] = ()
    has_distribution: bool = False


STRATEGIES: Mapping[str, Entry] = {  # by values of search.algorithm
    "random": Entry("nasmake.strategies.random_search:RandomSearch"),
    "evolution": Entry(
        "nasmake.strategies.evolution:Evolution",
        reads=("parent_ratio", "max_age", "crossover_ratio", "mutation_prob"),
    ),
    "asng": Entry(
        "nasmake.strategies.asng:AsngSearch",
        reads=("samples_per_update", "alpha", "epsilon", "delta0"),
        has_distribution=True,
    ),
    "reinforce": Entry(
        "nasmake.strategies.reinforce:ReinforceSearch",
        reads=("samples_per_update", "policy_lr"),
        has_distribution=True,
    ),
    "proxyless": Entry(
        "nasmake.strategies.proxyless:ProxylessSearch",
        reads=(
            *("gates", "architecture_lr", "expected_cost.loss", "expected_cost.metric"),
            *("expected_cost.target", "expected_cost.weight"),
        ),
        has_distribution=True,
    ),
    "nsga2": Entry("nasmake.strategies.nsga2:Nsga2Search"),
    "predictor": Entry("nasmake.strategies.predictor:PredictorSearch"),
}
COMMON_READS = ("algorithm", "objective", "reward", "front", "population_size", "constraint")


def strategy_of(algorithm: str) -> type[Strategy]:
    """Return the class of a search strategy, and import its module if necessary.

    Args:
        algorithm: a value of search.algorithm.
    """
    strategy: type[Strategy] = resolve_name(STRATEGIES[algorithm].target)
    return strategy


def make_strategy(space: SearchSpace, costs: CostTable, settings: Search) -> Strategy:
    """Return the strategy that search.algorithm names.

    The strategy sees only the keys of COMMON_READS and of its entry. It raises UndeclaredKeyError when it reads another
    key of section `search`.

    Args:
        space: the search space.
        costs: costs of the networks of this space.
        settings: section `search`.
    """
    name = str(settings.algorithm)
    view = restrict(settings, (*COMMON_READS, *STRATEGIES[name].reads), f"search strategy {name}")
    return strategy_of(name)(space, costs, view)


__all__ = [
    "COMMON_READS",
    "STRATEGIES",
    "Entry",
    "Evaluation",
    "ProposingStrategy",
    "Strategy",
    "make_strategy",
    "strategy_of",
]
