"""The findings of the evidence: values with intervals, and whether each meets its criterion. No torch here.

The criteria stand in the plan of workflow/report/evidence.md, which was written before the measurement. Tables and the
figure are made in page and drawing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.config.evidence import SUPERNET, Evidence
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json
from nasmake.evidence.lookup import ALL, positions_in_band
from nasmake.evidence.plan import LOOKED_UP, TRAINED_SEARCHES
from nasmake.evidence.statistics import Estimate, bootstrap, partial_tau, t_interval, tau
from nasmake.evidence.table_file import BenchmarkTable, decisions_of

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
SEED_KEY = (0, "evidence")  # seed key of the bootstrap
RANKING_LEVEL, SEARCH_LEVEL = 0.95, 0.90
BY_NETWORKS = "bootstrap over networks"
BY_SUPERNETS_AND_NETWORKS = "bootstrap over supernets and networks"
BY_SEARCHES = "bootstrap over supernets and searches"
BY_TRAININGS = "bootstrap over supernets, searches and trainings"
BY_SUPERNETS = "t over supernets"
INHERITED, TRUE = "inherited", "true"  # the loss by which a found network is judged
JUDGED_BUDGET = 20  # different networks of the criteria about searches


@dataclass(frozen=True)
class Asked:
    """The criterion of a finding: a text, and a test of the estimate."""

    text: str
    test: Callable[[Estimate], bool]


ABOVE_0 = Asked("lower limit > 0", lambda estimate: estimate.low > 0)
ASKED: Mapping[str, Asked] = {
    f"tau_{SUPERNET}": Asked(">= .25", lambda estimate: estimate.value >= 0.25),
    f"partial_macs_{SUPERNET}": ABOVE_0,
} | {
    f"gain_{ALL}_{loss}_{strategy}_{JUDGED_BUDGET}": ABOVE_0
    for strategy in ("evolution", "predictor")
    for loss in (INHERITED, TRUE)
}


@dataclass(frozen=True)
class Finding:
    """One figure of the evidence.

    Attributes:
        n: number of units of each kind that the interval is computed over, in the order of `over`.
        over: the method of the interval and these units.
        by: the values whose mean the finding is; empty for another statistic.
    """

    key: str
    text: str
    value: float
    low: float
    high: float
    level: float
    n: tuple[int, ...]
    over: str
    by: tuple[float, ...] = ()

    @property
    def asked(self) -> Asked | None:
        """Criterion of the finding; None for a finding without one."""
        return ASKED.get(self.key)

    @property
    def reached(self) -> bool | None:
        """True if the criterion is met; None without a criterion."""
        return self.asked.test(Estimate(self.value, self.low, self.high)) if self.asked else None

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON, with its criterion if it has one."""
        asked = {"asked": self.asked.text, "reached": self.reached} if self.asked else {}
        return asdict(self) | asked


@dataclass(frozen=True)
class Scores:
    """Scores of a table's networks with the weights of several supernets, [supernets, networks].

    Attributes:
        loss: val log-loss after recalibration.
        raw_loss: val log-loss without recalibration.
        accuracy: val accuracy after recalibration, 0..1.
    """

    loss: Values
    raw_loss: Values
    accuracy: Values


def read_scores(run: Path, kind: str, seeds: Sequence[int], table: BenchmarkTable) -> Scores:
    """Read the scores of the networks of a table under the supernets of one kind.

    Raises:
        InputError: the scores are those of other networks.
    """
    paths = [run / f"{kind}-{seed}" / "scores.csv" for seed in seeds]
    files = [read_csv(path) for path in paths]
    for path, rows in zip(paths, files, strict=True):
        if [decisions_of(row) for row in rows] != table.networks:
            raise InputError(f"{path}: has other networks than the table; type: make evidence")
    columns = ([[float(row[name]) for row in rows] for rows in files] for name in ("loss", "raw_loss", "accuracy"))
    return Scores(*map(np.array, columns))


def table_spread(table: BenchmarkTable) -> list[Finding]:
    """Return how much the test losses of a table differ between networks, and between trainings of one network."""
    losses = table.scores("test_loss")

    def noise(at: Indices) -> float:
        return float(losses[:, at].var(0, ddof=1).mean() ** 0.5)

    def spread(at: Indices) -> float:
        observed = losses[:, at].mean(0).var(ddof=1)  # contains the noise of the mean over the trainings
        return float(max(0.0, observed - noise(at) ** 2 / len(losses)) ** 0.5)

    rows = {
        "sd_networks": ("standard deviation of test log-loss between networks, without noise", spread),
        "sd_trainings": ("standard deviation of test log-loss between trainings of a network", noise),
    }
    return [_over_networks(key, text, losses.shape[1], statistic) for key, (text, statistic) in rows.items()]


def trivial_ranking(table: BenchmarkTable) -> list[Finding]:
    """Return how well predictors without a supernet rank the networks, and how well another training run does."""
    alone = table.scores("val_loss")
    truth: Values = alone.mean(0)
    # Each training seed against the mean of the others. No predictor can be expected to agree with training from
    # scratch better than one training run agrees with the others.
    halves = [(alone[seed], np.delete(alone, seed, 0).mean(0)) for seed in range(len(alone))]
    rows: Mapping[str, tuple[str, Callable[[Indices], float]]] = {
        "ceiling": (
            "ceiling: one training from scratch and the mean of the others",
            lambda at: float(np.mean([tau(one[at], others[at]) for one, others in halves])),
        ),
        "tau_macs": ("MACs alone", lambda at: tau(-table.macs[at], truth[at])),
        "tau_parameters": ("parameters alone", lambda at: tau(-table.parameters[at], truth[at])),
    }
    return [_over_networks(key, text, len(truth), statistic) for key, (text, statistic) in rows.items()]


def ranking(kind: str, scores: Scores, table: BenchmarkTable) -> list[Finding]:
    """Return how well supernets of one kind rank the networks: Kendall's tau-b with val log-loss of training alone.

    Further findings are tau given MACs, tau without recalibration, the accuracy with inherited weights, and the test
    log-loss of the best network by inherited loss above that of the best one by training.
    """
    truth: Values = table.scores("val_loss").mean(0)
    tested: Values = table.scores("test_loss").mean(0)
    regrets = tested[scores.loss.argmin(1)] - tested[truth.argmin()]
    taus: Mapping[str, tuple[str, Callable[[Values, Indices], float]]] = {
        "tau": ("inherited log-loss", lambda row, at: tau(row, truth[at])),
        "partial_macs": (
            "inherited log-loss given MACs",
            lambda row, at: partial_tau(row, truth[at], table.macs[at]),
        ),
    }
    findings = [_ranked(f"{key}_{kind}", text, scores.loss, statistic) for key, (text, statistic) in taus.items()]
    findings.append(_ranked(f"raw_{kind}", "without recalibration", scores.raw_loss, taus["tau"][1]))
    means = {"accuracy": ("inherited val accuracy", scores.accuracy.mean(1)), "regret": ("regret of the best", regrets)}
    return findings + [_over_supernets(f"{key}_{kind}", text, values) for key, (text, values) in means.items()]


def searches(run: Path, evidence: Evidence, scores: Scores, table: BenchmarkTable) -> list[Finding]:
    """Return by how much the searches of each strategy end in better networks than random search.

    The networks found after as many different evaluations are compared by their inherited val log-loss, and by the
    test log-loss of training from scratch. The regret of a strategy is the difference between its network and the best
    one, by inherited loss or by the val loss of training from scratch.
    """
    found = {name: _found(run, name, evidence, table) for name in LOOKED_UP}
    tested, truth = table.scores("test_loss"), table.scores("val_loss").mean(0)
    supernets = np.arange(len(scores.loss))[:, None]
    findings = []
    for (networks, budget), others in found["random"].items():
        inside = members(table, networks, evidence.macs_band)
        best = inside[truth[inside].argmin()]
        inherited_best = scores.loss[:, inside].min(1)[:, None]
        for name in LOOKED_UP:
            ours, text = found[name][networks, budget], f"{name}, {budget} networks"
            inherited, true = scores.loss[supernets, ours], np.moveaxis(tested[:, ours], 0, -1)
            values = {
                ("regret", INHERITED): inherited - inherited_best,
                ("regret", TRUE): true - tested[:, best],
                ("gain", INHERITED): scores.loss[supernets, others] - inherited,
                ("gain", TRUE): np.moveaxis(tested[:, others], 0, -1) - true,
            }
            for (kind, loss), differences in values.items():
                if (kind, name) != ("gain", "random"):
                    over = BY_TRAININGS if loss == TRUE else BY_SEARCHES
                    key = "_".join((kind, networks, loss, name, str(budget)))
                    findings.append(_mean(key, text, differences, over))
    return findings


def trained_searches(run: Path, evidence: Evidence, table: BenchmarkTable) -> list[Finding]:
    """Return the true regret of the methods that search with real steps of training, one search per supernet."""
    tested, best = table.scores("test_loss").mean(0), table.scores("val_loss").mean(0).argmin()
    findings = []
    for name in TRAINED_SEARCHES:
        paths = [run / f"{name}-{seed}" / "architecture.json" for seed in evidence.seeds_of(name)]
        at = [table.networks.index(tuple(read_json(path)["decisions"])) for path in paths]
        findings.append(_over_supernets(f"regret_{name}", name, tested[at] - tested[best], SEARCH_LEVEL))
    return findings


def members(table: BenchmarkTable, networks: str, band: float) -> Indices:
    """Return the positions of the networks among which a search chose: all, or those in the band of MACs."""
    inside = range(len(table.macs)) if networks == ALL else positions_in_band(list(table.macs), band)
    return np.array(inside)


def _found(run: Path, strategy: str, evidence: Evidence, table: BenchmarkTable) -> dict[tuple[str, int], Indices]:
    """Return the positions of the networks that the searches of a strategy found, [supernets, searches], by budget."""
    position = {network: index for index, network in enumerate(table.networks)}
    found: dict[tuple[str, int], list[list[int]]] = {}
    for number, seed in enumerate(evidence.seeds):
        for row in read_csv(run / f"lookup-{strategy}-{seed}" / "found.csv"):
            by_supernet = found.setdefault((row["networks"], int(row["budget"])), [[] for _ in evidence.seeds])
            by_supernet[number].append(position[decisions_of(row)])
    return {key: np.array(positions) for key, positions in found.items()}


def _ranked(key: str, text: str, losses: Values, statistic: Callable[[Values, Indices], float]) -> Finding:
    def mean(supernets: Indices, at: Indices) -> float:
        return float(np.mean([statistic(row[at], at) for row in losses[supernets]]))

    estimate = bootstrap(mean, losses.shape, (*SEED_KEY, key), RANKING_LEVEL)
    by = tuple(statistic(row, np.arange(losses.shape[1])) for row in losses)
    return Finding(key, text, *estimate, RANKING_LEVEL, losses.shape, BY_SUPERNETS_AND_NETWORKS, by)


def _over_networks(key: str, text: str, count: int, statistic: Callable[[Indices], float]) -> Finding:
    estimate = bootstrap(statistic, (count,), (*SEED_KEY, key), RANKING_LEVEL)
    return Finding(key, text, *estimate, RANKING_LEVEL, (count,), BY_NETWORKS)


def _over_supernets(key: str, text: str, values: Values, level: float = RANKING_LEVEL) -> Finding:
    by = tuple(map(float, values))
    return Finding(key, text, *t_interval(by, level), level, (len(by),), BY_SUPERNETS, by)


def _mean(key: str, text: str, values: Values, over: str) -> Finding:
    """Return the mean of values that have one axis for each kind of unit."""
    estimate = bootstrap(lambda *at: float(values[np.ix_(*at)].mean()), values.shape, (*SEED_KEY, key), SEARCH_LEVEL)
    return Finding(key, text, *estimate, SEARCH_LEVEL, values.shape, over)
