"""Searches by look-up: the scores of all networks are known, so hundreds of searches take seconds. No torch here.

A search runs the same loop and the same strategy as the stage search_architecture.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from nasmake.config.search import Constraint, Search
from nasmake.core.files import read_csv, write_csv
from nasmake.costs.table import Cost, CostTable, Metric
from nasmake.data.manifest import read_manifest
from nasmake.evidence.table_file import decisions_of
from nasmake.jobs.job import Job
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies import ProposingStrategy, make_strategy
from nasmake.strategies.loop import ProposalLoop

FOUND, ALL, BAND = "found.csv", "all", "band"
COLUMNS = ("networks", "search", "budget", "evaluated", "decisions")
STEPS_PER_NETWORK = 10  # a strategy may propose a network again; a search ends after so many steps per network
BEYOND: Cost = (10**18, 10**18, 10**18)

Scores = Mapping[Decisions, tuple[float, float]]


class BandCosts(CostTable):
    """Costs under which only some networks are within the limits of a search; all others are too costly."""

    def __init__(self, space: SearchSpace, in_channels: int, input_size: int, networks: Sequence[Decisions]) -> None:
        super().__init__(space, in_channels, input_size)
        self.networks = frozenset(networks)

    def cheapest(self, metric: Metric) -> Decisions:
        """Return the cheapest of these networks."""
        return min(self.networks, key=lambda network: (self.of(network)[metric], network))

    def _total(self, decisions: Decisions) -> Cost:
        return super()._total(decisions) if decisions in self.networks else BEYOND


def search_by_lookup(job: Job) -> None:
    """Search the scores of one supernet evidence.search_seeds times with one strategy, and write found.csv.

    Every search is repeated among the networks in the band of MACs around the median.
    """
    evidence, space = job.settings.evidence, job.space()
    scores = {decisions_of(row): (float(row["loss"]), float(row["accuracy"])) for row in read_csv(job.inputs["scores"])}
    rows = []
    for networks, costs in _costs(job.dataset, space, list(scores), evidence.macs_band).items():
        limit = None if networks == ALL else max(map(costs.macs, costs.networks))
        strategy = _strategy(space, costs, job.settings.search, limit)
        budgets = [budget for budget in evidence.budgets if budget < len(costs.networks)]
        for search in range(evidence.search_seeds):
            seed_key = (job.settings.nas.seed, job.stage, networks, search)
            for budget, (evaluated, found) in zip(budgets, searched(strategy, scores, budgets, seed_key), strict=True):
                row: dict[str, Any] = {"networks": networks, "search": search, "budget": budget}
                rows.append(row | {"evaluated": evaluated, "decisions": " ".join(map(str, found))})
    write_csv(job.unit / FOUND, rows, COLUMNS)


def searched(
    strategy: ProposingStrategy, scores: Scores, budgets: Sequence[int], seed_key: tuple[int | str, ...]
) -> Iterator[tuple[int, Decisions]]:
    """Yield how many different networks a search has evaluated and which of them is the best, for each budget.

    A search whose strategy proposes too few different networks is judged by those that it evaluated.

    Args:
        strategy: the search strategy.
        scores: val loss and val accuracy of every network by its canonical vector.
        budgets: numbers of different networks, rising.
        seed_key: the first parts of the seed key of all random draws.
    """
    # The last step of a loop is for the strategy's conclusion. This one is never reached: the last budget comes first.
    loop, step = ProposalLoop(strategy, seed_key, STEPS_PER_NETWORK * budgets[-1], scores.__getitem__), 0
    for budget in budgets:
        while len(loop.evaluations) < budget and step < loop.budget - 1:
            loop.step(step)
            step += 1
        yield len(loop.evaluations), loop.best().decisions


def positions_in_band(macs: Sequence[float], band: float) -> list[int]:
    """Return the positions of the MACs that differ by at most a share `band` from their median."""
    middle = median(macs)
    return [index for index, one in enumerate(macs) if abs(one - middle) <= band * middle]


def _costs(dataset: Path, space: SearchSpace, networks: Sequence[Decisions], band: float) -> dict[str, BandCosts]:
    """Return the costs for searches of all networks, and of those in the band of MACs around the median."""
    size, _, channels = read_manifest(dataset)["image_shape"]
    every = BandCosts(space, channels, size, networks)
    within = [networks[index] for index in positions_in_band(list(map(every.macs, networks)), band)]
    return {ALL: every, BAND: BandCosts(space, channels, size, within)}


def _strategy(space: SearchSpace, costs: CostTable, settings: Search, limit: int | None) -> ProposingStrategy:
    constraint = Constraint(macs=limit)
    strategy = make_strategy(space, costs, settings.model_copy(update={"constraint": constraint}))
    assert isinstance(strategy, ProposingStrategy)
    return strategy
