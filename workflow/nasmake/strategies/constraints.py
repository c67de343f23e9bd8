"""What a search can be refused for: hard limits, and a space too small. Imported by the Snakefile: no torch here."""

from nasmake.config.search import Constraint, ExpectedCost, Reward, Search
from nasmake.core.errors import InputError
from nasmake.costs.table import METRICS, CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace

UNITS: dict[Metric, float] = {"macs": 1, "parameters": 1, "latency_ms": 1000}  # in which logarithms are above 0


def limits_of(constraint: Constraint) -> dict[Metric, float]:
    """The limits that are set."""
    limits = {metric: getattr(constraint, metric) for metric in METRICS}
    return {metric: limit for metric, limit in limits.items() if limit is not None}


def is_feasible(costs: CostTable, settings: Search, decisions: Decisions) -> bool:
    """Whether an architecture keeps all limits of search.constraint; the table must know their metrics."""
    found = costs.of(decisions)
    return all(found[metric] <= limit for metric, limit in limits_of(settings.constraint).items())


def target_of(reward: Reward, constraint: Constraint) -> float:
    """The cost that a reward aims at: its target, else the limit on its metric.

    Raises:
        InputError: there is neither.
    """
    target = _target_or_limit(reward, constraint)
    if target is None:
        raise InputError(
            f"search.reward.target: null: mnasnet_reward needs a target for {reward.metric}; "
            f"give search.reward.target or search.constraint.{reward.metric}, or set search.objective: loss"
        )
    return target


def target_of_expected_cost(settings: Search) -> float:
    """The target of search.expected_cost, else the limit on its metric.

    Raises:
        InputError: there is neither, or it is too small for its logarithm to be above 0.
    """
    chosen = settings.expected_cost
    target = _target_or_limit(chosen, settings.constraint)
    key = f"search.constraint.{chosen.metric}" if chosen.target is None else "search.expected_cost.target"
    if target is None:
        raise InputError(
            f"search.expected_cost.target: null: loss {chosen.loss} needs a target; give one in {chosen.metric}, "
            f"or set {key}, or search.expected_cost.loss: none"
        )
    least = 1 / UNITS[chosen.metric]
    if chosen.loss == "power" and target <= least:
        raise InputError(
            f"{key}: {target}: search.expected_cost.loss: power takes logarithms; allowed: more than {least:g}"
        )
    return target


def _target_or_limit(chosen: Reward | ExpectedCost, constraint: Constraint) -> float | None:
    return limits_of(constraint).get(chosen.metric) if chosen.target is None else chosen.target


def check_feasible(costs: CostTable, settings: Search) -> None:
    """Refuse limits that no architecture of the space keeps.

    Raises:
        InputError: names the limit and the cheapest architecture; or a latency is limited that the table does not know.
    """
    for metric, limit in limits_of(settings.constraint).items():
        cheapest = costs.cheapest(metric)
        least = costs.of(cheapest)[metric]
        if least > limit:
            raise InputError(
                f"search.constraint.{metric}: {limit} is below the cheapest architecture of the space, "
                f"{list(cheapest)} with {least}; allowed: {least} or more"
            )


def check_algorithm(algorithm: str, space: SearchSpace) -> None:
    """Refuse a strategy that cannot search the space.

    Raises:
        InputError: asng where one decision only has a choice: its lower bounds leave it no room; proxyless where the
            outputs of a block's options cannot be added up, for it has several decisions, or several widths.
    """
    if algorithm == "proxyless":
        _check_gates(space)
    searched = [decision.name for decision in space.decisions if len(decision.choices) > 1]
    if algorithm == "asng" and len(searched) == 1:
        raise InputError(
            f"search.algorithm: asng: {space.source} has one decision with a choice, {searched[0]}; asng needs two or "
            "more: use evolution, random or reinforce"
        )


def _check_gates(space: SearchSpace) -> None:
    wide = next((index for index, block in enumerate(space.blocks) if len(block.out_channel_choices) > 1), None)
    reason = (
        None
        if wide is None
        else f"block{wide} may have any of the widths {list(space.blocks[wide].out_channel_choices)}"
    )
    if len(space.decisions) > len(space.blocks):
        reason = f"every block has {len(space.decisions) // len(space.blocks)} decisions"
    if reason:
        raise InputError(
            f"search.algorithm: proxyless: {space.source}: {reason}; gates need one decision and one width per block: "
            "use asng, reinforce or evolution, or a proxyless space"
        )
