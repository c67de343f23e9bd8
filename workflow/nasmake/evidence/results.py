"""The findings of the evidence: values with intervals, and whether each meets its criterion. No torch here.

The criteria were fixed before the first measurement. Tables and the figure are made in table and drawing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasmake.config.evidence import Evidence
from nasmake.core.files import read_csv, read_json
from nasmake.evidence.plan import EASY_SEEDS
from nasmake.evidence.statistics import Estimate, bootstrap, partial_tau, spearman, t_interval, tau

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
SEED_KEY = (0, "evidence")  # seed key of the bootstrap
RANKING_LEVEL, SELECTION_LEVEL = 0.95, 0.90
BY_NETWORKS, BY_SUPERNETS, BY_SEEDS = "bootstrap over networks", "t over supernets", "t over search seeds"


@dataclass(frozen=True)
class Asked:
    """The criterion of a finding: a text, and a test of the estimate."""

    text: str
    test: Callable[[Estimate], bool]


ASKED: Mapping[str, Asked] = {
    "recalibrated_accuracy": Asked(">= .85", lambda estimate: estimate.value >= 0.85),
    "recalibration_gain": Asked(">= .15", lambda estimate: estimate.value >= 0.15),
    "tau": Asked(">= .25", lambda estimate: estimate.value >= 0.25),
    "control": Asked("abs < .3", lambda estimate: abs(estimate.value) < 0.3),
    "pooled_worst": Asked("lower limit > 0", lambda estimate: estimate.low > 0),
}


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        group: recalibration, ranking or selection.
        n: number of units that the interval is computed over: networks, supernets or seeds.
        over: these units, and the method of the interval.
        by: the values whose mean the finding is; empty for a single value.
    """

    key: str
    group: str
    text: str
    value: float
    low: float
    high: float
    level: float
    n: int
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
class Ranking:
    """Scores of the list of networks, with inherited weights and after training from scratch.

    Attributes:
        inherited: val log-loss after recalibration, [supernets, networks].
        raw: val log-loss without recalibration, [supernets, networks].
        quarter: val log-loss after a quarter of the supernet's steps, [supernets, networks].
        control: error rate under shuffled labels, [supernets, networks].
        alone: val log-loss after training from scratch, [retrain seeds, networks].
        parameters: learnable parameters, [networks].
        macs: multiply-adds for one image, [networks].
    """

    inherited: Values
    raw: Values
    quarter: Values
    control: Values
    alone: Values
    parameters: Values
    macs: Values

    @property
    def truth(self) -> Values:
        """The val log-loss that a predictor has to rank: the mean over retrain seeds, [networks]."""
        mean: Values = self.alone.mean(0)
        return mean


def recalibration(run: Path, evidence: Evidence) -> list[Finding]:
    """Return the accuracy of networks with inherited weights before and after BatchNorm recalibration."""
    seeds = evidence.seeds[:EASY_SEEDS]
    after, before = (_scores(run, "easy", seeds, f"{kind}accuracy").mean(1) for kind in ("", "raw_"))
    rows = {
        "raw_accuracy": ("inherited accuracy without recalibration", before),
        "recalibrated_accuracy": ("inherited accuracy after recalibration", after),
        "recalibration_gain": ("inherited accuracy gained by recalibration", after - before),
    }
    return [
        _over_seeds(key, "recalibration", f"{evidence.easy_dataset}: {text}", values, RANKING_LEVEL, BY_SUPERNETS)
        for key, (text, values) in rows.items()
    ]


def read_ranking(run: Path, evidence: Evidence) -> Ranking:
    """Read the measurements of the list of networks."""
    networks = read_json(run / "ranking" / "networks.json")["networks"]
    return Ranking(
        inherited=_scores(run, "supernet", evidence.seeds, "loss"),
        raw=_scores(run, "supernet", evidence.seeds, "raw_loss"),
        quarter=_scores(run, "quarter", evidence.seeds, "loss"),
        # Accuracy, because log-loss under wrong labels would still depend on a network's confidence.
        control=1 - _scores(run, "supernet", evidence.seeds, "shuffled_accuracy"),
        alone=_trained(run / "ranking", evidence.retrain_seeds, "val_loss"),
        parameters=np.array([float(network["parameters"]) for network in networks]),
        macs=np.array([float(network["macs"]) for network in networks]),
    )


def ranking(scores: Ranking) -> list[Finding]:
    """Return how well the inherited log-loss ranks the list, beside a ceiling, trivial predictors and ablations."""
    truth, inherited, alone = scores.truth, scores.inherited, scores.alone

    def taus(predicted: Values, at: Indices) -> list[float]:
        return [tau(row[at], truth[at]) for row in predicted]

    def partial(given: Values, at: Indices) -> list[float]:
        return [partial_tau(row[at], truth[at], given[at]) for row in inherited]

    # Each retrain seed against the mean of the others. No predictor can be expected to agree with training from
    # scratch better than one training run agrees with the others.
    halves = [(alone[seed], np.delete(alone, seed, 0).mean(0)) for seed in range(len(alone))]
    rows: list[tuple[str, str, Callable[[Indices], list[float]]]] = [
        ("tau", "tau of inherited log-loss", lambda at: taus(inherited, at)),
        ("spearman", "Spearman of inherited log-loss", lambda at: [spearman(row[at], truth[at]) for row in inherited]),
        (
            "ceiling",
            "noise ceiling: tau of one training seed and the others",
            lambda at: [tau(one[at], others[at]) for one, others in halves],
        ),
        ("tau_parameters", "trivial: tau of parameters", lambda at: [tau(-scores.parameters[at], truth[at])]),
        ("tau_macs", "trivial: tau of MACs", lambda at: [tau(-scores.macs[at], truth[at])]),
        ("partial_parameters", "tau given parameters", lambda at: partial(scores.parameters, at)),
        ("partial_macs", "tau given MACs", lambda at: partial(scores.macs, at)),
        ("tau_raw", "ablation: tau without recalibration", lambda at: taus(scores.raw, at)),
        ("tau_quarter", "ablation: tau after a quarter of the steps", lambda at: taus(scores.quarter, at)),
        ("control", "control: tau with shuffled labels", lambda at: taus(scores.control, at)),
    ]
    return [_over_networks(key, text, statistic, len(truth)) for key, text, statistic in rows]


def selection(run: Path, evidence: Evidence, strategies: Sequence[str]) -> list[Finding]:
    """Return by how much the searches' networks beat others on test, after training from scratch.

    All differences are paired by search seed.
    """
    losses_by_role = [_losses_by_role(run / f"selection-{seed}", evidence.retrain_seeds) for seed in evidence.seeds]

    def mean_loss(role: str) -> Values:
        """Return the mean test log-loss of the networks with a role, [search seeds]."""
        return np.array([losses[role].mean() for losses in losses_by_role])

    best = {name: mean_loss(name) for name in strategies}
    against = {
        "worst": ("worst by inherited score", dict.fromkeys(best, mean_loss("worst"))),
        "random": ("mean of random networks", dict.fromkeys(best, mean_loss("drawn"))),
        "equal_cost": (
            "best of random search, equal cost",
            {name: mean_loss(f"random-{name}") for name in best if name != "random"},
        ),
    }
    findings = []
    for key, (text, losses) in against.items():
        differences = {name: others - best[name] for name, others in losses.items()}
        for name, values in {"pooled": np.mean(list(differences.values()), 0), **differences}.items():
            searched = f"mean over the best of {len(differences)} strategies" if name == "pooled" else f"best of {name}"
            sentence = f"{text} - {searched}"
            findings.append(_over_seeds(f"{name}_{key}", "selection", sentence, values, SELECTION_LEVEL, BY_SEEDS))
    drawn = np.concatenate([losses["drawn"] for losses in losses_by_role])
    shares = np.mean([[(drawn > loss).mean() for loss in losses] for losses in best.values()], 0)
    text = f"share of all {len(drawn)} random networks that the best of {len(best)} strategies beat"
    return [*findings, _over_seeds("pooled_share", "selection", text, shares, SELECTION_LEVEL, BY_SEEDS)]


def _losses_by_role(unit: Path, retrain_seeds: Sequence[int]) -> dict[str, Values]:
    """Return the test log-loss of one search seed's networks by role, as means over retrain seeds."""
    losses = _trained(unit, retrain_seeds, "test_loss").mean(0)
    by_role: dict[str, list[float]] = {}
    for network, loss in zip(read_json(unit / "networks.json")["networks"], losses, strict=True):
        for role in network["roles"]:
            by_role.setdefault(role, []).append(loss)
    return {role: np.array(values) for role, values in by_role.items()}


def _scores(run: Path, kind: str, seeds: Sequence[int], column: str) -> Values:
    """Return one column of the scores with inherited weights, [supernets, networks]."""
    return _columns([run / f"{kind}-{seed}" / "scores.csv" for seed in seeds], column)


def _trained(unit: Path, seeds: Sequence[int], column: str) -> Values:
    """Return one column of the scores after training from scratch, [retrain seeds, networks]."""
    return _columns([unit / f"seed-{seed}" / "trained.csv" for seed in seeds], column)


def _columns(paths: Sequence[Path], column: str) -> Values:
    return np.array([[float(row[column]) for row in read_csv(path)] for path in paths])


def _over_networks(key: str, text: str, statistic: Callable[[Indices], list[float]], count: int) -> Finding:
    estimate = bootstrap(lambda at: float(np.mean(statistic(at))), count, (*SEED_KEY, key), RANKING_LEVEL)
    by = tuple(statistic(np.arange(count)))
    return Finding(key, "ranking", text, *estimate, RANKING_LEVEL, count, BY_NETWORKS, by if len(by) > 1 else ())


def _over_seeds(key: str, group: str, text: str, values: Values, level: float, over: str) -> Finding:
    by = [float(value) for value in values]
    return Finding(key, group, text, *t_interval(by, level), level, len(by), over, tuple(by))
