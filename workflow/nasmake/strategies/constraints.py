"""Hard limits, cost targets, and the reasons to refuse a search before it starts.

Snakemake imports this module while it reads the workflow, so neither torch nor numpy may be imported here.
"""

from nasmake.config.search import Constraint, ExpectedCost, Reward, Search
from nasmake.core.errors import InputError
from nasmake.costs.table import METRICS, CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace

# Factors by which costs are multiplied before their logarithm is taken: a latency in microseconds is above 1.
UNITS: dict[Metric, float] = {"macs": 1, "parameters": 1, "latency_ms": 1000}


def limits_of(constraint: Constraint) -> dict[Metric, float]:
    """Return the limits that are set, by metric."""
    limits = {metric: getattr(constraint, metric) for metric in METRICS}
    return {metric: limit for metric, limit in limits.items() if limit is not None}


def is_feasible(costs: CostTable, settings: Search, decisions: Decisions) -> bool:
    """Return whether an architecture is within all limits of search.constraint; `costs` must have their metrics."""
    network_costs = costs.of(decisions)
    return all(network_costs[metric] <= limit for metric, limit in limits_of(settings.constraint).items())


def target_of(reward: Reward, constraint: Constraint) -> float:
    """Return the target cost of a reward: reward.target, or else the limit on its metric.

    Raises:
        InputError: neither is set.
    """
    target = _target_or_limit(reward, constraint)
    if target is None:
        raise InputError(
            f"search.reward.target is null; expected a number, or a limit in search.constraint.{reward.metric}, "
            "for search.objective mnasnet_reward"
        )
    return target


def target_of_expected_cost(settings: Search) -> float:
    """Return the target of search.expected_cost: its target, or else the limit on its metric.

    Raises:
        InputError: neither is set, or the logarithm of the target is not above 0 and loss `power` needs it.
    """
    expected_cost = settings.expected_cost
    target = _target_or_limit(expected_cost, settings.constraint)
    limit_key = f"search.constraint.{expected_cost.metric}"
    if target is None:
        raise InputError(
            f"search.expected_cost.target is null; expected a number, or a limit in {limit_key}, "
            f"for search.expected_cost.loss {expected_cost.loss}"
        )
    least = 1 / UNITS[expected_cost.metric]
    if expected_cost.loss == "power" and target <= least:
        key = limit_key if expected_cost.target is None else "search.expected_cost.target"
        raise InputError(
            f"{key} is {target}; expected more than {least:g}, because search.expected_cost.loss power takes logarithms"
        )
    return target


def _target_or_limit(section: Reward | ExpectedCost, constraint: Constraint) -> float | None:
    return limits_of(constraint).get(section.metric) if section.target is None else section.target


def check_feasible(costs: CostTable, settings: Search) -> None:
    """Refuse a limit that no architecture of the space keeps. Limits are checked one by one, not together.

    Raises:
        InputError: a limit is below the cost of the cheapest architecture, or limits a latency that `costs` lacks.
    """
    for metric, limit in limits_of(settings.constraint).items():
        cheapest = costs.cheapest(metric)
        least = costs.of(cheapest)[metric]
        if least > limit:
            raise InputError(
                f"search.constraint.{metric} is {limit}; expected {least} or more, "
                f"which the cheapest architecture of the space has (decisions {' '.join(map(str, cheapest))})"
            )


def check_algorithm(algorithm: str, space: SearchSpace) -> None:
    """Refuse a strategy that cannot search the space.

    Args:
        algorithm: a value of search.algorithm.
        space: the search space.

    Raises:
        InputError: asng has one decision with a choice only, so that its lower bounds leave the probabilities no room.
            Or proxyless cannot add up the outputs of a block's options, because the block has several decisions or
            several widths.
    """
    searched = [decision.name for decision in space.decisions if len(decision.choices) > 1]
    if algorithm == "asng" and len(searched) == 1:
        raise InputError(
            "search.algorithm is asng; expected evolution, random or reinforce, because asng needs two decisions with "
            f"a choice and {space.source} has only {searched[0]}"
        )
    if algorithm != "proxyless":
        return
    widths = {f"block{index}": block.out_channel_choices for index, block in enumerate(space.blocks)}
    several = [f"{block} may have widths {', '.join(map(str, w))}" for block, w in widths.items() if len(w) > 1]
    if len(space.decisions) > len(space.blocks):
        several = [f"every block has {len(space.decisions) // len(space.blocks)} decisions"]
    if several:
        raise InputError(
            "search.algorithm is proxyless; expected asng, reinforce or evolution, or a proxyless space, because gates "
            f"need one decision and one width per block: {space.source}: {several[0]}"
        )
