"""The artefacts of an architecture search: architecture.json and the histories.

This module turns evaluations into rows and records, and writes them; it evaluates nothing. It may import core, costs,
search_spaces, strategies, jobs and the engine.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
        """Write the rows as CSV files."""
        metrics: tuple[Metric, ...] = METRICS if "latency" in job.inputs else METRICS[:2]
        diagnostics = strategy_of(str(job.settings.search.algorithm)).columns
        columns = [*SEARCH_COLUMNS, *(f"best_{metric}" for metric in metrics), *diagnostics]
        epochs = [{name: row[name] for name in columns if name in row} for row in self.epochs]
        write_csv(job.history("search_architecture"), epochs, columns)
        for name, rows in (("evaluations", self.evaluations), ("random_evaluations", self.random_evaluations)):
            write_csv(job.history(name), rows, [*EVALUATION_COLUMNS, *metrics, "decisions"])
        write_csv(job.history("probabilities"), self.probabilities, PROBABILITY_COLUMNS)


def write_search(job: Job, device: str | None, content: dict[str, Any], records: SearchRecords | None = None) -> None:
    """Write the histories, and then architecture.json.

    Args:
        job: names the folder.
        device: for the provenance; None if nothing was computed.
        content: of architecture.json, without the provenance.
        records: rows of the histories; without records the histories have headers only.
    """
    (records or SearchRecords([], [], [], [])).write(job)
    write_json(job.unit / "architecture.json", content | {"provenance": job.provenance(device)})


def architecture_record(
    run: StageRun, costs: CostTable, result: Evaluation, scores: dict[str, float], baseline: Iterable[Evaluation]
) -> dict[str, Any]:
    """Return the content of architecture.json after a search.

    Args:
        run: the stage.
        costs: of the networks of the search space.
        result: the evaluation of the network that the search returns.
        scores: further facts about the search.
        baseline: evaluations of the random baseline.
    """
    corner = reference_of(costs, run.job.num_search_classes)
    reference = {f"reference_{name}": value for name, value in corner._asdict().items()}
    scores = {"objective": result.objective, "val_loss": result.val_loss, "val_accuracy": result.val_accuracy} | scores
    return Architecture.from_decisions(result.decisions, costs.space).to_json() | {
        "input_size": run.splits.input_size,
        "channels": run.splits.in_channels,
        **costs.of(result.decisions),
        "state": COMPLETE,
        "scores": scores | reference | best_scores("random_", baseline),
    }


def best_scores(prefix: str, evaluations: Iterable[Evaluation]) -> dict[str, float]:
    """Return val loss and accuracy of the best network, with prefixed names; nothing if the loss of all is infinite."""
    best = min(evaluations, default=None)
    if best is None or math.isinf(best.val_loss):
        return {}
    return {f"{prefix}val_loss": best.val_loss, f"{prefix}val_accuracy": best.val_accuracy}


def evaluation_rows(strategy: Strategy, evaluations: Iterable[Evaluation]) -> Rows:
    """Return one row per evaluation: scores, costs, and a flag for the Pareto front of val loss and these costs.

    search.front names the costs that span the front together with val loss.
    """
    listed = list(evaluations)
    on_front = non_dominated([strategy.point(evaluation) for evaluation in listed])
    return [
        {
            "generation": evaluation.generation + 1,
            "objective": evaluation.objective,
            "val_loss": evaluation.val_loss,
            "val_accuracy": evaluation.val_accuracy,
            "on_front": int(is_on_front),
            **strategy.costs.of(evaluation.decisions),
            "decisions": " ".join(map(str, evaluation.decisions)),
        }
        for evaluation, is_on_front in zip(listed, on_front, strict=True)
    ]


def probability_rows(space: SearchSpace, epochs: Sequence[Probabilities]) -> Rows:
    """Return one row per epoch, decision and choice, in this order.

    Args:
        space: the search space.
        epochs: for each epoch the probabilities of the options of every decision.
    """
    return [
        {"epoch": epoch, "decision": decision.name, "choice": choice, "probability": probability}
        for epoch, by_decision in enumerate(epochs, 1)
        for decision, by_choice in zip(space.decisions, by_decision, strict=True)
        for choice, probability in zip(decision.options, by_choice, strict=True)
    ]


def reference_of(costs: CostTable, num_search_classes: int | None) -> Reference:
    """Return the reference point of the hypervolume.

    Its loss is that of guessing: ln of the number of classes of the search. Its MACs are those of the most expensive
    network of the space, whatever the limits of the search.
    """
    classes = num_search_classes or costs.space.num_classes
    return Reference(math.log(classes), costs.macs(costs.costliest("macs")))
