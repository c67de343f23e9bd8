"""The networks that are compared: a fixed list over the search space, and the results of the searches of one seed.

The measurements of these networks live in measurements. No torch here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable
from nasmake.search_spaces import Decisions, SearchSpace

ListedNetwork = dict[str, Any]  # decisions, costs and roles
DRAWN = 10_000  # random networks that stand for the whole space
THIRDS = 3


def stratified(space: SearchSpace, costs: CostTable, count: int, seed: int) -> list[ListedNetwork]:
    """Return `count` distinct networks by rising MACs, with equal shares from each third of the space by MACs.

    The thirds are those of random networks, so that no table of the whole space is needed.

    Args:
        space: the search space.
        costs: costs of its networks.
        count: number of networks.
        seed: seed of the draws.

    Raises:
        InputError: the space has fewer networks.
    """
    rng = python_random(seed, "evidence", "networks")
    drawn = {space.canonical(space.sample(rng)) for _ in range(DRAWN)}
    if len(drawn) < count:
        raise InputError(f"evidence.networks is {count}; expected at most {len(drawn)}, the networks of {space.name}")
    ranked = sorted(drawn, key=lambda decisions: (costs.macs(decisions), decisions))
    listed: list[Decisions] = []
    for third in range(THIRDS):
        members = ranked[len(ranked) * third // THIRDS : len(ranked) * (third + 1) // THIRDS]
        listed += rng.sample(members, count * (third + 1) // THIRDS - len(listed))
    return [_network(decisions, costs, ["ranking"]) for decisions in sorted(listed, key=ranked.index)]


def selected(
    searches: Mapping[str, Path], window: tuple[int, int], random_networks: int, space: SearchSpace, costs: CostTable
) -> list[ListedNetwork]:
    """Return the networks that judge the searches of one seed: the best of each search, and random networks.

    All of them lie in the window of MACs. If a search evaluated no network in the window, its architecture.json counts.

    Args:
        searches: path of each search's evaluations.csv, by strategy; "random" is one of them.
        window: smallest and largest MACs.
        random_networks: number of random networks, the first of the random search; the worst of all of them
            is added.
        space: the search space.
        costs: costs of its networks.

    Returns:
        Each network once, with its roles. A role is the name of a strategy, for its best network; `random-<name>`, for
        the best network of a random search with the cost of that strategy's search; "drawn"; or "worst".

    Raises:
        InputError: the random search evaluated too few networks in the window.
    """
    within = {strategy: _within(path, window) for strategy, path in searches.items()}
    if len(within["random"]) < random_networks:
        raise InputError(
            f"evidence.min_macs is {window[0]}; expected a lower number, since {len(within['random'])} networks of the "
            f"random search lie between it and search.constraint.macs, {window[1]}; "
            f"evidence.random_networks needs {random_networks}"
        )
    networks: dict[Decisions, ListedNetwork] = {}

    def add(decisions: Decisions, role: str) -> None:
        networks.setdefault(decisions, _network(decisions, costs, []))["roles"].append(role)

    for strategy, rows in within.items():
        path = searches[strategy]
        if rows:
            add(_decisions(min(rows, key=_by_loss)), strategy)
        else:
            add(space.parse(read_json(path.parents[1] / "architecture.json")["decisions"]), strategy)
        # A search writes its random baseline beside its evaluations. Without one, the strategy `random` is compared.
        baseline = path.with_name("random_evaluations.csv")
        compared = _within(baseline, window) if baseline.is_file() else []
        add(_decisions(min(compared or within["random"], key=_by_loss)), f"random-{strategy}")
    for row in within["random"][:random_networks]:
        add(_decisions(row), "drawn")
    add(_decisions(max(within["random"], key=_by_loss)), "worst")
    return list(networks.values())


def _within(evaluations: Path, window: tuple[int, int]) -> list[dict[str, str]]:
    return [row for row in read_csv(evaluations) if window[0] <= int(row["macs"]) <= window[1]]


def _by_loss(row: Mapping[str, str]) -> tuple[float, str]:
    return float(row["val_loss"]), row["decisions"]


def _decisions(row: Mapping[str, str]) -> Decisions:
    return tuple(map(int, row["decisions"].split()))


def _network(decisions: Decisions, costs: CostTable, roles: Sequence[str]) -> ListedNetwork:
    return {"decisions": list(decisions), "roles": list(roles)} | costs.of(decisions)
