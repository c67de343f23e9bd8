"""What an architecture search leaves: architecture.json and its histories."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from nasmake.core.files import write_csv, write_json
from nasmake.core.pareto import Reference, non_dominated
from nasmake.core.records import COMPLETE
from nasmake.costs.table import METRICS, CostTable, Metric
from nasmake.engine.stage_run import Rows, StageRun
from nasmake.jobs.job import Job
from nasmake.search_spaces import Architecture, SearchSpace
from nasmake.strategies import Evaluation, Strategy, strategy_of
from nasmake.strategies.probabilities import Probabilities

SEARCH_COLUMNS = (
    *("epoch", "val_loss", "val_accuracy", "evaluated", "best_objective", "best_val_loss", "best_val_accuracy"),
    *("uncalibrated_val_accuracy", "hypervolume"),
)
EVALUATION_COLUMNS = ("generation", "objective", "val_loss", "val_accuracy", "on_front")
PROBABILITY_COLUMNS = ("epoch", "decision", "choice", "probability")


@dataclass(frozen=True)
class SearchRecords:
    """The rows of the histories.

    Attributes:
        epochs: one per epoch.
        evaluations: one per network that the search evaluated.
        random_evaluations: one per network of the random baseline.
        probabilities: one per epoch, decision and choice.
    """

    epochs: Rows
    evaluations: Rows
    random_evaluations: Rows
    probabilities: Rows

    def write(self, job: Job) -> None:
        """Write them as CSV."""
        metrics: tuple[Metric, ...] = METRICS if "latency" in job.inputs else METRICS[:2]
        diagnostics = strategy_of(str(job.settings.search.algorithm)).columns
        columns = [*SEARCH_COLUMNS, *(f"best_{metric}" for metric in metrics), *diagnostics]
        epochs = [{name: row[name] for name in columns if name in row} for row in self.epochs]
        write_csv(job.history("search_architecture"), epochs, columns)
        for name, rows in (("evaluations", self.evaluations), ("random_evaluations", self.random_evaluations)):
            write_csv(job.history(name), rows, [*EVALUATION_COLUMNS, *metrics, "decisions"])
        write_csv(job.history("probabilities"), self.probabilities, PROBABILITY_COLUMNS)


def write_search(job: Job, device: str | None, content: dict[str, Any], records: SearchRecords | None = None) -> None:
    """Write the histories, and then architecture.json; without records the histories are headers only."""
    (records or SearchRecords([], [], [], [])).write(job)
    write_json(job.unit / "architecture.json", content | {"provenance": job.provenance(device)})


def found(
    run: StageRun, costs: CostTable, best: Evaluation, scores: dict[str, float], random: Iterable[Evaluation]
) -> dict[str, Any]:
    """What architecture.json holds of a search.

    Args:
        run: the stage.
        costs: of the networks of the space.
        best: what the search ended with.
        scores: what else is known of the search.
        random: evaluations of the random baseline.
    """
    reference = {f"reference_{name}": value for name, value in reference_of(costs.space, costs)._asdict().items()}
    own = {"objective": best.objective, "val_loss": best.val_loss, "val_accuracy": best.val_accuracy}
    return Architecture.from_decisions(best.decisions, costs.space).to_json() | {
        "input_size": run.splits.input_size,
        "channels": run.splits.in_channels,
        **costs.of(best.decisions),
        "state": COMPLETE,
        "scores": own | scores | reference | best_scores("random_", random),
    }


def best_scores(prefix: str, evaluations: Iterable[Evaluation]) -> dict[str, float]:
    """Of the best network; none where all are broken."""
    best = min(evaluations, default=None)
    if best is None or math.isinf(best.val_loss):
        return {}
    return {f"{prefix}val_loss": best.val_loss, f"{prefix}val_accuracy": best.val_accuracy}


def evaluation_rows(strategy: Strategy, evaluations: Iterable[Evaluation]) -> Rows:
    """One row per network, with its costs, and whether any other is better by val loss and all of search.front."""
    listed = list(evaluations)
    on_front = non_dominated([strategy.point(evaluation) for evaluation in listed])
    return [
        {
            "generation": evaluation.generation + 1,
            "objective": evaluation.objective,
            "val_loss": evaluation.val_loss,
            "val_accuracy": evaluation.val_accuracy,
            "on_front": int(kept),
            **strategy.costs.of(evaluation.decisions),
            "decisions": " ".join(map(str, evaluation.decisions)),
        }
        for evaluation, kept in zip(listed, on_front, strict=True)
    ]


def probability_rows(space: SearchSpace, epochs: Sequence[Probabilities]) -> Rows:
    """One row per epoch, decision and choice, in this order."""
    return [
        {"epoch": epoch, "decision": decision.name, "choice": choice, "probability": probability}
        for epoch, probabilities in enumerate(epochs, 1)
        for decision, own in zip(space.decisions, probabilities, strict=True)
        for choice, probability in zip(decision.options, own, strict=True)
    ]


def reference_of(space: SearchSpace, costs: CostTable) -> Reference:
    """The loss of guessing, ln of the number of classes, and the MACs of the costliest network, whatever the limits."""
    return Reference(log(space.num_classes), costs.macs(costs.costliest("macs")))
