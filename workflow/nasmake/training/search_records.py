"""What an architecture search leaves: architecture.json and its histories."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nasmake.artifacts import write_csv, write_json
from nasmake.cost import METRICS, CostTable, Metric
from nasmake.job import Job
from nasmake.search_spaces import SearchSpace
from nasmake.strategies import Evaluation, strategy_of
from nasmake.strategies.probabilities import Probabilities
from nasmake.training.run import Rows

SEARCH_COLUMNS = (
    *("epoch", "val_loss", "val_accuracy", "evaluated", "best_val_loss", "best_val_accuracy"),
    *("uncalibrated_val_accuracy", "hypervolume"),
)
EVALUATION_COLUMNS = ("generation", "val_loss", "val_accuracy")
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
        """Write them as CSV; the history of the epochs has the name of the stage."""
        metrics: tuple[Metric, ...] = METRICS if "latency" in job.inputs else METRICS[:2]
        diagnostics = strategy_of(job.settings.search.algorithm).columns
        columns = [*SEARCH_COLUMNS, *(f"best_{metric}" for metric in metrics), *diagnostics]
        write_csv(job.history(job.stage), self.epochs, columns)
        for name, rows in (("evaluations", self.evaluations), ("random_evaluations", self.random_evaluations)):
            write_csv(job.history(name), rows, [*EVALUATION_COLUMNS, *metrics, "decisions"])
        write_csv(job.history("probabilities"), self.probabilities, PROBABILITY_COLUMNS)


def write_search(job: Job, device: str | None, content: dict[str, Any], records: SearchRecords | None = None) -> None:
    """Write the histories, and then architecture.json; without records the histories are headers only."""
    (records or SearchRecords([], [], [], [])).write(job)
    write_json(job.unit / "architecture.json", content | {"provenance": job.provenance(device)})


def evaluation_rows(costs: CostTable, evaluations: Iterable[Evaluation]) -> Rows:
    """One row per network, with its costs."""
    return [
        {
            "generation": evaluation.generation + 1,
            "val_loss": evaluation.val_loss,
            "val_accuracy": evaluation.val_accuracy,
            "decisions": " ".join(map(str, evaluation.decisions)),
            **costs.of(evaluation.decisions),
        }
        for evaluation in evaluations
    ]


def probability_rows(space: SearchSpace, epochs: Sequence[Probabilities]) -> Rows:
    """One row per epoch, decision and choice, in this order."""
    return [
        {"epoch": epoch, "decision": decision.name, "choice": choice, "probability": probability}
        for epoch, probabilities in enumerate(epochs, 1)
        for decision, own in zip(space.decisions, probabilities, strict=True)
        for choice, probability in zip(decision.options, own, strict=True)
    ]
