"""Hard limits on the cost of an architecture. Imported by the Snakefile: no torch here."""

from nasmake.artifacts import InputError
from nasmake.config import Search
from nasmake.cost import CostTable
from nasmake.search_spaces import Decisions

METRICS = ("macs", "parameters")


def within_limits(costs: CostTable, settings: Search, decisions: Decisions) -> bool:
    """Whether an architecture keeps all limits of search.constraint."""
    limits = settings.constraint
    return (limits.macs is None or costs.macs(decisions) <= limits.macs) and (
        limits.parameters is None or costs.parameters(decisions) <= limits.parameters
    )


def check_feasible(costs: CostTable, settings: Search) -> None:
    """Refuse limits that no architecture of the space keeps.

    Raises:
        InputError: names the limit and the cheapest architecture.
    """
    for metric, cost in (("macs", costs.macs), ("parameters", costs.parameters)):
        limit = getattr(settings.constraint, metric)
        cheapest = costs.cheapest(metric)
        if limit is not None and cost(cheapest) > limit:
            raise InputError(
                f"search.constraint.{metric}: {limit} is below the cheapest architecture of the space, "
                f"{list(cheapest)} with {cost(cheapest)}; allowed: {cost(cheapest)} or more"
            )
