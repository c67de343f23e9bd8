"""Architecture search over a trained supernet, and random search with the same number of evaluations.

An epoch is search.population_size steps of a search loop. In most loops a step evaluates one candidate. The strategy
decides how many candidates make a generation. The loops are in `nasmake.strategies.loop` and in `gates`. This module
may import core, search_spaces, costs, models, strategies, jobs, the engine and other stages.
"""

from collections.abc import Mapping
from typing import Any

import torch

from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.pareto import Reference, hypervolume
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.costs.table import CostTable
from nasmake.engine.stage_module import StageModule, StoppedError
from nasmake.engine.stage_run import StageRun, cost_table, stage
from nasmake.engine.weights import load_weights
from nasmake.jobs.job import Job
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.gates import GateLoop
from nasmake.stages.search_output import (
    SearchRecords,
    architecture_record,
    best_scores,
    evaluation_rows,
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
    """Runs the steps of a search loop, `population_size` of them in an epoch."""

    metric_prefix = "val"

    def __init__(self, loop: SearchLoop, population_size: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.loop, self.population_size = loop, population_size

    def configure_optimizers(self) -> None:
        """Return no optimizer: nothing is trained."""

    @torch.no_grad()
    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """Run one step of the loop.

        Candidates whose loss is infinite are skipped; they do not enter the epoch's mean.
        """
        result = self.loop.step(self.current_epoch * self.population_size + batch_idx)
        loss, accuracy = result or (0.0, 0.0)
        sums = {"loss": loss, "accuracy": accuracy, "count": float(result is not None)}
        return {"metrics": {name: torch.tensor(value) for name, value in sums.items()}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the evaluations as plain lists, and the state of the loop."""
        checkpoint["strategy"] = self.loop.state_dict()
        checkpoint["observed"] = [evaluation.to_list() for evaluation in self.loop.observed]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the state of the loop, and record the evaluations again."""
        self.loop.load_state_dict(checkpoint["strategy"])
        for fields in checkpoint["observed"]:
            self.loop.tell(Evaluation.from_list(fields))


class ArchitectureSearch(CandidateEvaluation):
    """The module of the search.

    Args:
        loop: proposes, evaluates and records.
        population_size: steps of an epoch.
        inherited: evaluates the best network without recalibration too.
        reference: reference point of the hypervolume.
    """

    def __init__(
        self, loop: SearchLoop, population_size: int, inherited: InheritedEvaluator, reference: Reference
    ) -> None:
        super().__init__(loop, population_size)
        self._inherited, self._reference = inherited, reference
        self._uncalibrated: dict[Decisions, float] = {}  # accuracy of the best network, which often stays the best

    def epoch_summary(self) -> dict[str, float]:
        """Return the best network so far, the hypervolume so far, and the diagnostics of the strategy.

        The order of the columns is part of result.json: the reason of a diverged trial quotes the row.
        """
        loop, costs = self.loop, self.loop.strategy.costs
        best = loop.best()
        if best.decisions not in self._uncalibrated:
            # Lightning calls this hook outside the precision context of the steps.
            with self.trainer.precision_plugin.forward_context():
                self._uncalibrated = {best.decisions: self._inherited.uncalibrated(best.decisions)[1]}
        points = ((evaluation.val_loss, costs.macs(network)) for network, evaluation in loop.evaluations.items())
        summary = {
            "evaluated": len(loop.evaluations),
            "best_objective": best.objective,
            "best_val_loss": best.val_loss,
            "best_val_accuracy": best.val_accuracy,
            "uncalibrated_val_accuracy": self._uncalibrated[best.decisions],
            "hypervolume": hypervolume(points, self._reference),
        } | {f"best_{metric}": cost for metric, cost in costs.of(best.decisions).items()}
        return summary | loop.diagnostics((self.current_epoch + 1) * self.population_size)


class RandomBaseline(CandidateEvaluation):
    """The module of the random search that the search is compared with."""

    def epoch_summary(self) -> dict[str, float]:
        """Return the best network so far."""
        evaluations = self.loop.evaluations
        return {"random_evaluated": len(evaluations)} | best_scores("random_best_", evaluations.values())


def search_architecture(job: Job) -> None:
    """Run the stage: write architecture.json, and histories of epochs, evaluated networks and probabilities."""
    record = read_json(job.inputs["record"])
    if record["state"] != COMPLETE:
        return write_search(job, None, {key: record[key] for key in ("state", "reason")})
    settings, epochs = job.settings.search, job.settings.nas.num_epochs_architecture_search
    with stage(job) as run:
        space, size = run.space(), settings.population_size
        inherited = InheritedEvaluator(run, trained_supernet(run, space, record))
        costs = cost_table(run)
        check_feasible(costs, settings)
        loop, worth = _search_loop(run, costs, inherited)
        module = ArchitectureSearch(loop, size, inherited, reference_of(costs, job.num_search_classes))
        baseline: Evaluations = {}
        try:
            rows = run.fit(module, range(size), epochs)
            if settings.prune_at_chance:
                inherited.check_above_chance(loop.evaluations.values(), rows)
            if settings.algorithm == "random":
                baseline = loop.evaluations
            elif settings.random_baseline:
                baseline = random_baseline(run, costs, inherited, worth, loop.evaluations)
            content = architecture_record(run, costs, loop.found(), _scores(loop), baseline.values())
        except StoppedError as stopped:
            rows, content = stopped.rows, {"state": PRUNED, "reason": f"{job.stage}: {stopped}"}
        evaluated = evaluation_rows(loop.strategy, loop.evaluations.values())
        by_epoch = [loop.probabilities((epoch + 1) * size) for epoch in range(len(rows))]
        compared = evaluation_rows(loop.strategy, baseline.values())
        records = SearchRecords(rows, evaluated, compared, probability_rows(space, by_epoch))
        write_search(job, run.runtime.name, content, records)


def _search_loop(run: StageRun, costs: CostTable, inherited: InheritedEvaluator) -> tuple[SearchLoop, int]:
    """Return the loop of search.algorithm, and the number of evaluations with the same compute cost."""
    settings, epochs = run.job.settings.search, run.job.settings.nas.num_epochs_architecture_search
    size, seed_key = settings.population_size, (run.job.settings.nas.seed, run.job.stage)
    strategy = make_strategy(costs.space, costs, settings)
    if isinstance(strategy, ProxylessSearch):
        batches = run.splits.shuffled("val", settings.batch_size, run.job.stage)
        worth = inherited.evaluations_worth(strategy, epochs * (size - 1), batches)
        return GateLoop(strategy, seed_key, size, inherited, batches), epochs + worth
    assert isinstance(strategy, ProposingStrategy)
    return ProposalLoop(strategy, seed_key, epochs * size, inherited), epochs * size


def _scores(loop: SearchLoop) -> dict[str, float]:
    """Return facts about a search that has ended; with the scores of the conclusion if it is not the result."""
    result, conclusion = loop.found(), loop.conclusion()
    scores: dict[str, float] = {"generation": result.generation + 1, "evaluated": len(loop.evaluations)}
    if conclusion not in (None, result):
        scores |= {"mode_val_loss": conclusion.val_loss, "mode_val_accuracy": conclusion.val_accuracy}
    return scores


def random_baseline(
    run: StageRun, costs: CostTable, inherited: InheritedEvaluator, evaluations: int, known: Evaluations
) -> Evaluations:
    """Run random search with the compute cost, the limits, the weights and the images of the search.

    Its training state is saved beside that of the search, so the baseline resumes exactly too.

    Args:
        run: the stage of the search.
        costs: of the networks of the search space.
        inherited: evaluates with the weights at the end of the search.
        evaluations: how many networks are evaluated; fewer if no further network keeps the limits.
        known: evaluations by `inherited`. A network among them is not evaluated again.

    Returns:
        The evaluations of the drawn networks.
    """

    def score(network: Decisions) -> tuple[float, float]:
        evaluation = known.get(network)
        return (evaluation.val_loss, evaluation.val_accuracy) if evaluation else inherited(network)

    settings, size = run.job.settings.search, run.job.settings.search.population_size
    seed_key = (run.job.settings.nas.seed, run.job.stage, "random")
    loop = ProposalLoop(RandomSearch(inherited.supernet.space, costs, settings), seed_key, evaluations, score)
    run.fit(RandomBaseline(loop, size), range(size), -(-evaluations // size), name="random_baseline")
    return loop.evaluations


def trained_supernet(run: StageRun, space: SearchSpace, record: Mapping[str, Any]) -> Supernet:
    """Return the supernet that is an input of the stage, on the stage's device.

    Args:
        run: the stage.
        space: its search space.
        record: content of the supernet's supernet.json.

    Raises:
        InputError: the supernet was trained in another search space, or its file is damaged.
    """
    path, trained_in = run.job.inputs["supernet"], record["search_space"]
    if trained_in["hash"] != space.hash:
        raise InputError(
            f"{path}: trained in the space {trained_in['name']} ({trained_in['hash']}), not in "
            f"{space.name} ({space.hash}); remove it, so that it is trained again"
        )
    sharing = record["settings"]["weight_sharing"]
    supernet = Supernet(space, run.splits.in_channels, sharing, run.job.num_search_classes)
    load_weights(supernet, path)
    return supernet.to(run.runtime.device)
