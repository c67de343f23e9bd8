"""Architecture search over a trained supernet, and random search of equal cost; a step evaluates one candidate.

An epoch is search.population_size steps. How many of them make a generation is the strategy's to say.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.pareto import Reference, hypervolume
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.costs.table import CostTable
from nasmake.engine.stage_module import DivergedError, StageModule
from nasmake.engine.stage_run import StageRun, cost_table, stage
from nasmake.engine.weights import read_weights
from nasmake.jobs.job import Job
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.gates import GateLoop
from nasmake.stages.search_output import (
    SearchRecords,
    best_scores,
    evaluation_rows,
    found,
    probability_rows,
    reference_of,
    write_search,
)
from nasmake.strategies import Evaluation, ProposingStrategy, make_strategy
from nasmake.strategies.constraints import check_feasible
from nasmake.strategies.loop import ProposalLoop, SearchLoop
from nasmake.strategies.proxyless import ProxylessSearch
from nasmake.strategies.random_search import RandomSearch

Evaluations = Mapping[Decisions, Evaluation]  # by canonical vectors


class CandidateEvaluation(StageModule):
    """Goes through the places of a search, `population_size` in an epoch; one step each."""

    metric_prefix = "val"

    def __init__(self, loop: SearchLoop, population_size: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.loop, self.population_size = loop, population_size

    def configure_optimizers(self) -> None:
        """Nothing is trained."""

    @torch.no_grad()
    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """One place; a candidate too far out is no reason to give up: it does not count in the mean."""
        found = self.loop.step(self.current_epoch * self.population_size + batch_idx)
        return {"metrics": _metrics(*found, 1) if found else _metrics(0.0, 0.0, 0)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put what was told in, as plain lists, and the state of the strategy."""
        checkpoint["strategy"] = self.loop.state_dict()
        checkpoint["observed"] = [evaluation.to_list() for evaluation in self.loop.observed]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.loop.load_state_dict(checkpoint["strategy"])
        for fields in checkpoint["observed"]:
            self.loop.tell(Evaluation.from_list(fields))


class ArchitectureSearch(CandidateEvaluation):
    """The search itself; see `search_architecture`."""

    def __init__(
        self, loop: SearchLoop, population_size: int, inherited: InheritedEvaluator, reference: Reference
    ) -> None:
        super().__init__(loop, population_size)
        self._inherited, self._reference = inherited, reference
        self._uncalibrated: dict[Decisions, float] = {}

    def epoch_summary(self) -> dict[str, float]:
        """The best so far, what was covered so far, and how the strategy is doing."""
        loop, costs = self.loop, self.loop.strategy.costs
        best = loop.best()
        points = ((own.val_loss, costs.macs(network)) for network, own in loop.evaluations.items())
        found = {
            "evaluated": len(loop.evaluations),
            "best_objective": best.objective,
            "best_val_loss": best.val_loss,
            "best_val_accuracy": best.val_accuracy,
            "uncalibrated_val_accuracy": self._uncalibrated_accuracy(best.decisions),
            "hypervolume": hypervolume(points, self._reference),
        } | {f"best_{metric}": cost for metric, cost in costs.of(best.decisions).items()}
        return found | loop.diagnostics((self.current_epoch + 1) * self.population_size)

    def _uncalibrated_accuracy(self, decisions: Decisions) -> float:
        if decisions not in self._uncalibrated:
            with self.trainer.precision_plugin.forward_context():  # that of the steps; this is called after them
                self._uncalibrated = {decisions: self._inherited.uncalibrated(decisions)[1]}
        return self._uncalibrated[decisions]


class RandomBaseline(CandidateEvaluation):
    """Random search beside the search."""

    def epoch_summary(self) -> dict[str, float]:
        """The best so far."""
        evaluations = self.loop.evaluations
        return {"random_evaluated": len(evaluations)} | best_scores("random_best_", evaluations.values())


def search_architecture(job: Job) -> None:
    """Run the stage: architecture.json, and in history/ rows of epochs, evaluated networks and probabilities."""
    record = read_json(job.inputs["supernet"].with_suffix(".json"))
    if record["state"] != COMPLETE:
        return write_search(job, None, {key: record[key] for key in ("state", "reason")})
    with stage(job) as run:
        space = run.space()
        inherited = InheritedEvaluator(run, trained_supernet(run, space, record))
        costs = cost_table(run)
        check_feasible(costs, job.settings.search)
        write_search(job, run.runtime.name, *_searched(run, space, costs, inherited))


def _searched(
    run: StageRun, space: SearchSpace, costs: CostTable, inherited: InheritedEvaluator
) -> tuple[dict[str, Any], SearchRecords]:
    settings, epochs = run.job.settings.search, run.job.settings.nas.num_epochs_architecture_search
    size, reference = settings.population_size, reference_of(space, costs)
    loop, evaluations = _course(run, costs, inherited)
    random: Evaluations = {}
    try:
        rows = run.fit(ArchitectureSearch(loop, size, inherited, reference), range(size), epochs)
        if settings.algorithm == "random":
            random = loop.evaluations
        elif settings.random_baseline:
            random = random_baseline(run, costs, inherited, evaluations, loop.evaluations)
        content = found(run, costs, loop.found(), _scores(loop), random.values())
    except DivergedError as diverged:
        rows, content = diverged.rows, {"state": PRUNED, "reason": f"{run.job.stage}: {diverged}"}
    by_epoch = [loop.probabilities((epoch + 1) * size) for epoch in range(len(rows))]
    evaluated, compared = (evaluation_rows(loop.strategy, own.values()) for own in (loop.evaluations, random))
    return content, SearchRecords(rows, evaluated, compared, probability_rows(space, by_epoch))


def _course(run: StageRun, costs: CostTable, inherited: InheritedEvaluator) -> tuple[SearchLoop, int]:
    """The course of the search, and how many evaluations cost what it does."""
    settings, epochs = run.job.settings.search, run.job.settings.nas.num_epochs_architecture_search
    steps, seed_key = settings.population_size, (run.job.settings.nas.seed, run.job.stage)
    strategy = make_strategy(costs.space, costs, settings)
    if isinstance(strategy, ProxylessSearch):
        batches = run.splits.shuffled("val", settings.batch_size, run.job.stage)
        worth = inherited.evaluations_worth(strategy, epochs * (steps - 1), batches)
        return GateLoop(strategy, seed_key, steps, inherited, batches), epochs + worth
    assert isinstance(strategy, ProposingStrategy)
    return ProposalLoop(strategy, seed_key, epochs * steps, inherited), epochs * steps


def random_baseline(
    run: StageRun, costs: CostTable, inherited: InheritedEvaluator, evaluations: int, known: Evaluations
) -> Evaluations:
    """Random search of equal cost: as many evaluations, within the same limits, with the same weights and images.

    Its training state lies beside that of the search, so it resumes as exactly.

    Args:
        run: the stage that searched.
        costs: of the networks of the space.
        inherited: scores with the weights that the search ended with.
        evaluations: how many; fewer, if no more networks keep the limits.
        known: networks that `inherited` has scored already: taken from here when they are drawn.
    """

    def score(network: Decisions) -> tuple[float, float]:
        own = known.get(network)
        return (own.val_loss, own.val_accuracy) if own else inherited(network)

    settings, size = run.job.settings.search, run.job.settings.search.population_size
    seed_key = (run.job.settings.nas.seed, run.job.stage, "random")
    loop = ProposalLoop(RandomSearch(inherited.supernet.space, costs, settings), seed_key, evaluations, score)
    run.fit(RandomBaseline(loop, size), range(size), -(-evaluations // size), name="random_baseline")
    return loop.evaluations


def trained_supernet(run: StageRun, space: SearchSpace, record: Mapping[str, Any]) -> Supernet:
    """The supernet that the stage was given, on its device; `record` is its supernet.json.

    Raises:
        InputError: it was trained in another space, or its file is damaged.
    """
    path, made_in = run.job.inputs["supernet"], record["search_space"]
    if made_in["hash"] != space.hash:
        raise InputError(
            f"{path}: trained in the space {made_in['name']} ({made_in['hash']}), not in "
            f"{space.name} ({space.hash}); remove it, so that it is trained again"
        )
    sharing, classes = record["settings"]["weight_sharing"], run.job.settings.dataset.num_search_classes
    supernet = Supernet(space, run.splits.in_channels, sharing, classes)
    supernet.load_state_dict(read_weights(path))
    return supernet.to(run.runtime.device)


def _scores(loop: SearchLoop) -> dict[str, float]:
    """What a strategy that proposes candidates knows at the end, beyond the score of what it found."""
    best, conclusion = loop.found(), loop.conclusion()
    scores: dict[str, float] = {"generation": best.generation + 1, "evaluated": len(loop.evaluations)}
    if conclusion not in (None, best):
        scores |= {"mode_val_loss": conclusion.val_loss, "mode_val_accuracy": conclusion.val_accuracy}
    return scores


def _metrics(loss: float, accuracy: float, count: int) -> dict[str, Tensor]:
    return {"loss": torch.tensor(loss), "accuracy": torch.tensor(accuracy), "count": torch.tensor(float(count))}
