"""Which networks are compared: a fixed list over the space, and what the searches of one seed found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace

ListedNetwork = dict[str, Any]  # decisions, costs, and the roles that it plays
TRIES = 10_000
THIRDS = 3


def stratified(space: SearchSpace, costs: CostTable, count: int, seed: int) -> list[ListedNetwork]:
    """Distinct networks, as many from each third of the space by MACs; by rising MACs.

    The thirds are those of random networks, so that no table of the whole space is needed.

    Raises:
        InputError: the space has not that many networks.
    """
    rng = python_random(seed, "evidence", "networks")
    drawn = {space.canonical(space.sample(rng)) for _ in range(TRIES)}
    if len(drawn) < count:
        raise InputError(f"evidence.networks: {count}: of {space.name} only {len(drawn)} networks were found")
    ranked = sorted(drawn, key=lambda decisions: (costs.macs(decisions), decisions))
    chosen: list[Decisions] = []
    for third in range(THIRDS):
        members = ranked[len(ranked) * third // THIRDS : len(ranked) * (third + 1) // THIRDS]
        chosen += rng.sample(members, count * (third + 1) // THIRDS - len(chosen))
    return [_network(decisions, costs, ["ranking"]) for decisions in sorted(chosen, key=ranked.index)]


def selected(
    searches: Mapping[str, Path], window: tuple[int, int], random_networks: int, space: SearchSpace, costs: CostTable
) -> list[ListedNetwork]:
    """What the searches of one seed are judged by: the best of each in the window, and random networks of it.

    A strategy that evaluated nothing in the window is judged by its architecture.json.

    Args:
        searches: evaluations.csv of each strategy's search, by its name; "random" is one of them.
        window: smallest and largest MACs.
        random_networks: how many of the random search are taken, the first ones; the worst of all of it is another.
        space: the search space.
        costs: of its networks.

    Returns:
        Each network once, with its roles: for each strategy its name and `random-<name>`, the best of random search of
        equal cost; "drawn" and "worst".

    Raises:
        InputError: the random search has fewer networks in the window.
    """
    within = {strategy: _within(path, window) for strategy, path in searches.items()}
    if len(within["random"]) < random_networks:
        raise InputError(
            f"evidence.min_macs: {window[0]}: {len(within['random'])} networks of the random search lie between it and "
            f"search.constraint.macs: {window[1]}, fewer than evidence.random_networks: {random_networks}; widen it"
        )
    found: dict[Decisions, ListedNetwork] = {}
    for strategy, rows in within.items():
        best = _decisions(min(rows, key=_by_loss)) if rows else _architecture(searches[strategy], space)
        _add(found, best, costs, strategy)
        compared = _within(_random_baseline(searches, strategy), window) or within["random"]
        _add(found, _decisions(min(compared, key=_by_loss)), costs, f"random-{strategy}")
    for row in within["random"][:random_networks]:
        _add(found, _decisions(row), costs, "drawn")
    _add(found, _decisions(max(within["random"], key=_by_loss)), costs, "worst")
    return list(found.values())


def _random_baseline(searches: Mapping[str, Path], strategy: str) -> Path:
    """What random search of equal cost evaluated: beside the search, else by the strategy random."""
    beside = searches[strategy].with_name("random_evaluations.csv")
    return beside if beside.is_file() else searches["random"]


def _within(evaluations: Path, window: tuple[int, int]) -> list[dict[str, str]]:
    return [row for row in read_csv(evaluations) if window[0] <= int(row["macs"]) <= window[1]]


def _architecture(evaluations: Path, space: SearchSpace) -> Decisions:
    return space.parse(read_json(evaluations.parents[1] / "architecture.json")["decisions"])


def _by_loss(row: Mapping[str, str]) -> tuple[float, str]:
    return float(row["val_loss"]), row["decisions"]


def _decisions(row: Mapping[str, str]) -> Decisions:
    return tuple(map(int, row["decisions"].split()))


def _add(found: dict[Decisions, ListedNetwork], decisions: Decisions, costs: CostTable, role: str) -> None:
    found.setdefault(decisions, _network(decisions, costs, []))["roles"].append(role)


def _network(decisions: Decisions, costs: CostTable, roles: Sequence[str]) -> ListedNetwork:
    return {"decisions": list(decisions), "roles": list(roles)} | costs.of(decisions)
