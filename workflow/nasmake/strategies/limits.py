"""What a search can be refused for: hard limits, and a space too small. Imported by the Snakefile: no torch here."""

from nasmake.artifacts import InputError
from nasmake.config import Constraint, Reward, Search
from nasmake.cost import METRICS, CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace


def limits_of(constraint: Constraint) -> dict[Metric, float]:
    """The limits that are set."""
    limits = {metric: getattr(constraint, metric) for metric in METRICS}
    return {metric: limit for metric, limit in limits.items() if limit is not None}


def within_limits(costs: CostTable, settings: Search, decisions: Decisions) -> bool:
    """Whether an architecture keeps all limits of search.constraint; the table must know their metrics."""
    found = costs.of(decisions)
    return all(found[metric] <= limit for metric, limit in limits_of(settings.constraint).items())


def target_of(reward: Reward, constraint: Constraint) -> float:
    """The cost that a reward aims at: its target, else the limit on its metric.

    Raises:
        InputError: there is neither.
    """
    target: float | None = getattr(constraint, reward.metric) if reward.target is None else reward.target
    if target is None:
        raise InputError(
            f"search.reward.target: null: mnasnet_reward needs a target for {reward.metric}; "
            f"give search.reward.target or search.constraint.{reward.metric}, or set search.objective: loss"
        )
    return target


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
        InputError: asng where one decision only has a choice: its lower bounds leave it no room.
    """
    searched = [decision.name for decision in space.decisions if len(decision.choices) > 1]
    if algorithm == "asng" and len(searched) == 1:
        raise InputError(
            f"search.algorithm: asng: {space.source} has one decision with a choice, {searched[0]}; asng needs two or "
            "more: use evolution, random or reinforce"
        )
