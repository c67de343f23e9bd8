"""What the measurements come to: figures with intervals, and whether they are what was asked for."""

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
SEED_KEY = (0, "evidence")  # of the bootstrap's draws
RANKING_LEVEL, SELECTION_LEVEL = 0.95, 0.90
BY_NETWORKS, BY_SUPERNETS, BY_SEEDS = "bootstrap over networks", "t over supernets", "t over search seeds"


@dataclass(frozen=True)
class Asked:
    """What a figure has to keep, decided before anything was measured: a text, and the test of an estimate."""

    text: str
    test: Callable[[Estimate], bool]


ASKED: Mapping[str, Asked] = {
    "recalibrated_accuracy": Asked(">= .85", lambda found: found.value >= 0.85),
    "recalibration_gain": Asked(">= .15", lambda found: found.value >= 0.15),
    "tau": Asked(">= .25", lambda found: found.value >= 0.25),
    "control": Asked("abs < .3", lambda found: abs(found.value) < 0.3),
    "pooled_worst": Asked("lower limit > 0", lambda found: found.low > 0),
}


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        group: recalibration, ranking or selection.
        n: how many there are of what the interval is over.
        over: what the interval is over, and how it was made.
        by: the figures whose mean it is, if there are some.
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
        """What it has to keep, if anything."""
        return ASKED.get(self.key)

    @property
    def reached(self) -> bool | None:
        """Whether it does; None if nothing is asked of it."""
        return self.asked.test(Estimate(self.value, self.low, self.high)) if self.asked else None

    def to_json(self) -> dict[str, Any]:
        """All of it, with what is asked and whether it is reached."""
        asked = {"asked": self.asked.text, "reached": self.reached} if self.asked else {}
        return asdict(self) | asked


@dataclass(frozen=True)
class Ranking:
    """The list of networks: how they score with inherited weights, and how they do when trained from scratch.

    Attributes:
        inherited: val log-loss after recalibration, [supernets, networks].
        raw: the same without recalibration.
        quarter: after a quarter of the supernet's steps.
        control: share of wrong answers under shuffled labels.
        alone: val log-loss of networks trained from scratch, [retrain seeds, networks].
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
        """What is to be predicted, [networks]."""
        mean: Values = self.alone.mean(0)
        return mean


def recalibration(run: Path, evidence: Evidence) -> list[Finding]:
    """What recalibration does to the accuracy of networks with inherited weights."""
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
    """Read what the jobs measured of the list."""
    networks = read_json(run / "ranking" / "networks.json")["networks"]
    return Ranking(
        inherited=_scores(run, "supernet", evidence.seeds, "loss"),
        raw=_scores(run, "supernet", evidence.seeds, "raw_loss"),
        quarter=_scores(run, "quarter", evidence.seeds, "loss"),
        # By accuracy: log-loss under wrong labels would still tell how sure of itself a network is.
        control=1 - _scores(run, "supernet", evidence.seeds, "shuffled_accuracy"),
        alone=_trained(run, "ranking", evidence.retrain_seeds, "val_loss"),
        parameters=np.array([float(network["parameters"]) for network in networks]),
        macs=np.array([float(network["macs"]) for network in networks]),
    )


def ranking(found: Ranking) -> list[Finding]:
    """How well the inherited log-loss ranks the list, beside what it could do and what it has to beat."""
    truth, inherited = found.truth, found.inherited
    seeds = range(len(found.alone))
    # One seed against the mean of the others: no predictor can be expected to agree with networks better than they do.
    halves = [(found.alone[seed], np.delete(found.alone, seed, 0).mean(0)) for seed in seeds]
    rows: list[tuple[str, str, Callable[[NDArray[np.int64]], list[float]]]] = [
        ("tau", "tau of inherited log-loss", lambda at: _taus(inherited, truth, at)),
        ("spearman", "Spearman of inherited log-loss", lambda at: [spearman(row[at], truth[at]) for row in inherited]),
        ("ceiling", "noise ceiling: tau of one training seed and the others", lambda at: _pairs(halves, at)),
        ("tau_parameters", "trivial: tau of parameters", lambda at: [tau(-found.parameters[at], truth[at])]),
        ("tau_macs", "trivial: tau of MACs", lambda at: [tau(-found.macs[at], truth[at])]),
        ("partial_parameters", "tau given parameters", lambda at: _partial(inherited, truth, found.parameters, at)),
        ("partial_macs", "tau given MACs", lambda at: _partial(inherited, truth, found.macs, at)),
        ("tau_raw", "ablation: tau without recalibration", lambda at: _taus(found.raw, truth, at)),
        ("tau_quarter", "ablation: tau after a quarter of the steps", lambda at: _taus(found.quarter, truth, at)),
        ("control", "control: tau with shuffled labels", lambda at: _taus(found.control, truth, at)),
    ]
    return [_over_networks(key, text, statistic, len(truth)) for key, text, statistic in rows]


def selection(run: Path, evidence: Evidence, strategies: Sequence[str]) -> list[Finding]:
    """What the searches found in the window, trained from scratch, on test; all paired by search seed."""
    judged = [_judged(run, seed, evidence.retrain_seeds) for seed in evidence.seeds]

    def of(role: str) -> Values:
        return np.array([losses[role].mean() for losses in judged])

    best = {name: of(name) for name in strategies}
    against = {  # by the searches that are compared with it
        "worst": ("worst by inherited score", dict.fromkeys(best, of("worst"))),
        "random": ("mean of random networks", dict.fromkeys(best, of("drawn"))),
        "equal_cost": (
            "best of random search, equal cost",
            {name: of(f"random-{name}") for name in best if name != "random"},
        ),
    }
    found = []
    for key, (text, losses) in against.items():
        differences = {name: own - best[name] for name, own in losses.items()}
        for name, values in {"pooled": np.mean(list(differences.values()), 0), **differences}.items():
            named = f"all {len(differences)} strategies" if name == "pooled" else name
            sentence = f"{text} - best of {named}"
            found.append(_over_seeds(f"{name}_{key}", "selection", sentence, values, SELECTION_LEVEL, BY_SEEDS))
    return [*found, _beaten(best, np.concatenate([losses["drawn"] for losses in judged]))]


def _beaten(best: Mapping[str, Values], pool: Values) -> Finding:
    shares = np.mean([[(pool > loss).mean() for loss in losses] for losses in best.values()], 0)
    text = f"share of all {len(pool)} random networks that the best of all {len(best)} strategies beats"
    return _over_seeds("pooled_share", "selection", text, shares, SELECTION_LEVEL, BY_SEEDS)


def _judged(run: Path, seed: int, retrain_seeds: Sequence[int]) -> dict[str, Values]:
    """Test log-loss of one search seed's networks, mean over retrain seeds, by role."""
    unit = f"selection-{seed}"
    losses = _trained(run, unit, retrain_seeds, "test_loss").mean(0)
    found: dict[str, list[float]] = {}
    for network, loss in zip(read_json(run / unit / "networks.json")["networks"], losses, strict=True):
        for role in network["roles"]:
            found.setdefault(role, []).append(loss)
    return {role: np.array(values) for role, values in found.items()}


def _scores(run: Path, kind: str, seeds: Sequence[int], column: str) -> Values:
    """One column of what supernets say of the list, [supernets, networks]."""
    return np.array([_column(run / f"{kind}-{seed}" / "scores.csv", column) for seed in seeds])


def _trained(run: Path, unit: str, seeds: Sequence[int], column: str) -> Values:
    """One column of what training from scratch says of a list, [retrain seeds, networks]."""
    return np.array([_column(run / unit / f"seed-{seed}" / "trained.csv", column) for seed in seeds])


def _column(path: Path, column: str) -> list[float]:
    return [float(row[column]) for row in read_csv(path)]


def _taus(rows: Values, truth: Values, at: NDArray[np.int64]) -> list[float]:
    return [tau(row[at], truth[at]) for row in rows]


def _pairs(halves: Sequence[tuple[Values, Values]], at: NDArray[np.int64]) -> list[float]:
    return [tau(one[at], others[at]) for one, others in halves]


def _partial(rows: Values, truth: Values, given: Values, at: NDArray[np.int64]) -> list[float]:
    return [partial_tau(row[at], truth[at], given[at]) for row in rows]


def _over_networks(key: str, text: str, statistic: Callable[[NDArray[np.int64]], list[float]], count: int) -> Finding:
    estimate = bootstrap(lambda at: float(np.mean(statistic(at))), count, (*SEED_KEY, key), RANKING_LEVEL)
    by = tuple(statistic(np.arange(count)))
    return Finding(key, "ranking", text, *estimate, RANKING_LEVEL, count, BY_NETWORKS, by if len(by) > 1 else ())


def _over_seeds(key: str, group: str, text: str, values: Values, level: float, over: str) -> Finding:
    by = [float(value) for value in values]
    return Finding(key, group, text, *t_interval(by, level), level, len(by), over, tuple(by))
