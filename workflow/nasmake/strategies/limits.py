"""Hard limits on the cost of an architecture. Imported by the Snakefile: no torch here."""

from nasmake.artifacts import InputError
from nasmake.config import Search
from nasmake.cost import CostTable, Metric
from nasmake.search_spaces import Decisions

METRICS: tuple[Metric, ...] = ("macs", "parameters")


def within_limits(costs: CostTable, settings: Search, decisions: Decisions) -> bool:
    """Whether an architecture keeps all limits of search.constraint."""
    limits = {metric: getattr(settings.constraint, metric) for metric in METRICS}
    return all(getattr(costs, metric)(decisions) <= limit for metric, limit in limits.items() if limit is not None)


def check_feasible(costs: CostTable, settings: Search) -> None:
    """Refuse limits that no architecture of the space keeps.

    Raises:
        InputError: names the limit and the cheapest architecture.
    """
    for metric in METRICS:
        cost, limit = getattr(costs, metric), getattr(settings.constraint, metric)
        cheapest = costs.cheapest(metric)
        if limit is not None and cost(cheapest) > limit:
            raise InputError(
                f"search.constraint.{metric}: {limit} is below the cheapest architecture of the space, "
                f"{list(cheapest)} with {cost(cheapest)}; allowed: {cost(cheapest)} or more"
            )
