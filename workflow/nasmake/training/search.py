"""Architecture search over a trained supernet: one step evaluates one candidate.

An epoch is search.population_size steps. How many of them make a generation is the strategy's to say.
"""

from typing import Any

import torch
from torch import Tensor

from nasmake.artifacts import InputError, read_json, write_csv, write_json
from nasmake.config import Config
from nasmake.cost import METRICS, CostTable, Metric, described
from nasmake.data.batches import BatchSource
from nasmake.job import COMPLETE, PRUNED, Job
from nasmake.latency import read_latency
from nasmake.layers import channels_last
from nasmake.search_spaces import Architecture, Decisions, SearchSpace
from nasmake.strategies import Evaluation, ProposingStrategy, Strategy, make_strategy, strategy_of
from nasmake.strategies.limits import check_feasible
from nasmake.strategies.progress import Course, Progress
from nasmake.strategies.proxyless_search import ProxylessSearch
from nasmake.supernet import Supernet, recalibrate_batchnorm
from nasmake.training.classification import evaluate
from nasmake.training.gate_search import GateSearch
from nasmake.training.parts import Parts
from nasmake.training.run import Rows, StageRun, read_weights, stage
from nasmake.training.state import DivergedError, StageModule

STAGE = "search_architecture"
SEARCH_COLUMNS = ("epoch", "val_loss", "val_accuracy", "evaluated", "best_val_loss", "best_val_accuracy")
EVALUATION_COLUMNS = ("generation", "val_loss", "val_accuracy")


class ArchitectureSearch(StageModule):
    """Scores candidates by val loss with inherited weights, all on the same images.

    BatchNorm statistics are made anew for each candidate from train images (arXiv 1904.00420, section 3.4): those that
    the paths left in the supernet fit none of them.
    """

    part = "val"

    def __init__(
        self,
        supernet: Supernet,
        strategy: Strategy,
        settings: Config,
        recalibration: BatchSource,
        val: BatchSource,
        gate_batches: BatchSource,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.settings, self.val = settings, val
        self._frozen = [supernet]  # in a list it is no part of the module, so the training state stays small
        steps = range(min(len(recalibration), -(-settings.search.recalibration_images // recalibration.batch_size)))
        self.recalibration = [recalibration.batch(0, step)[0] for step in steps]
        self.progress = self._course(strategy, gate_batches)

    def configure_optimizers(self) -> None:
        """Nothing is trained."""

    @torch.no_grad()
    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """One place; a candidate too far out is no reason to give up: it does not count in the mean."""
        found = self.progress.step(self.current_epoch * self.settings.search.population_size + batch_idx)
        return {"metrics": _metrics(*found, 1) if found else _metrics(0.0, 0.0, 0)}

    def evaluate(self, decisions: Decisions) -> tuple[float, float]:
        """Val loss and accuracy (0..1) with inherited weights after recalibration."""
        supernet = self._frozen[0]
        supernet.set_active_subnet(decisions)
        subnet = channels_last(supernet.get_active_subnet())
        recalibrate_batchnorm(subnet, self.recalibration)
        return evaluate(subnet, self.val)

    def epoch_summary(self) -> dict[str, float]:
        """The best so far, and how the strategy is doing."""
        best = self.progress.best()
        costs = self.progress.strategy.costs.of(best.decisions)
        found = {
            "evaluated": len(self.progress.evaluations),
            "best_val_loss": best.val_loss,
            "best_val_accuracy": best.val_accuracy,
        } | {f"best_{metric}": cost for metric, cost in costs.items()}
        places = (self.current_epoch + 1) * self.settings.search.population_size
        return found | self.progress.diagnostics(places)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put what was told in, as plain lists, and the state of the strategy."""
        checkpoint["strategy"] = self.progress.state_dict()
        checkpoint["told"] = [
            [*evaluation[:1], list(evaluation.decisions), *evaluation[2:]] for evaluation in self.progress.told
        ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.progress.load_state_dict(checkpoint["strategy"])
        for loss, decisions, *rest in checkpoint["told"]:
            self.progress.tell(Evaluation(loss, tuple(decisions), *rest))

    def _course(self, strategy: Strategy, gate_batches: BatchSource) -> Course:
        settings, where, places = self.settings, (self.settings.nas.seed, STAGE), self.settings.search.population_size
        if isinstance(strategy, ProxylessSearch):
            return GateSearch(strategy, where, places, self._frozen[0], gate_batches, self.evaluate)
        assert isinstance(strategy, ProposingStrategy)
        return Progress(strategy, where, settings.nas.num_epochs_architecture_search * places, self.evaluate)


def search_architecture(job: Job) -> None:
    """Run the stage: architecture.json, and one row per epoch and per evaluated network in history/."""
    supernet_record = read_json(job.inputs["supernet"].with_suffix(".json"))
    if supernet_record["state"] != COMPLETE:
        return _write(job, None, {key: supernet_record[key] for key in ("state", "reason")}, [], [])
    with stage(job) as run:
        space = run.space()
        made_in = supernet_record["search_space"]
        if made_in["hash"] != space.hash:
            raise InputError(
                f"{job.inputs['supernet']}: trained in the space {made_in['name']} ({made_in['hash']}), not in "
                f"{space.name} ({space.hash}); remove it, so that it is trained again"
            )
        supernet = Supernet(space, run.parts.in_channels, supernet_record["settings"]["weight_sharing"])
        supernet.load_state_dict(read_weights(job.inputs["supernet"]))
        costs = _costs(run, space)
        check_feasible(costs, job.settings.search)
        module = _search(run, supernet.to(run.runtime.device), costs)
        steps, epochs = range(job.settings.search.population_size), job.settings.nas.num_epochs_architecture_search
        try:
            rows = run.fit(module, steps, epochs)
            content = _found(module, space, run.parts)
        except DivergedError as diverged:
            rows, content = diverged.rows, {"state": PRUNED, "reason": f"{STAGE}: {diverged}"}
        _write(
            job,
            run.runtime.name,
            content,
            rows,
            [_evaluation(costs, told) for told in module.progress.evaluations.values()],
        )


def _found(module: ArchitectureSearch, space: SearchSpace, parts: Parts) -> dict[str, Any]:
    progress = module.progress
    best, conclusion = progress.found(), progress.conclusion()
    scores = {"val_loss": best.val_loss, "val_accuracy": best.val_accuracy}
    if conclusion not in (None, best):
        scores |= {"mode_val_loss": conclusion.val_loss, "mode_val_accuracy": conclusion.val_accuracy}
    found = described(Architecture.from_decisions(best.decisions, space), parts.in_channels, parts.input_size)
    return found | {
        "state": COMPLETE,
        "scores": scores | {"generation": best.generation + 1, "evaluated": len(progress.evaluations)},
        **progress.strategy.costs.of(best.decisions),
    }


def _costs(run: StageRun, space: SearchSpace) -> CostTable:
    shape, table = (run.parts.in_channels, run.parts.input_size), run.job.inputs.get("latency")
    return CostTable(space, *shape, read_latency(table, space, *shape) if table else None)


def _search(run: StageRun, supernet: Supernet, costs: CostTable) -> ArchitectureSearch:
    settings = run.job.settings.search
    strategy = make_strategy(supernet.space, costs, settings)
    recalibration, gate_batches = (run.parts.shuffled(name, settings.batch_size, STAGE) for name in ("train", "val"))
    val = run.parts.evaluation("val", settings.batch_size)
    return ArchitectureSearch(supernet, strategy, run.job.settings, recalibration, val, gate_batches)


def _evaluation(costs: CostTable, told: Evaluation) -> dict[str, Any]:
    return {
        "generation": told.generation + 1,
        "val_loss": told.val_loss,
        "val_accuracy": told.val_accuracy,
        "decisions": " ".join(map(str, told.decisions)),
        **costs.of(told.decisions),
    }


def _write(job: Job, device: str | None, content: dict[str, Any], rows: Rows, evaluations: Rows) -> None:
    metrics: tuple[Metric, ...] = METRICS if "latency" in job.inputs else METRICS[:2]
    best = (f"best_{metric}" for metric in metrics)
    diagnostics = strategy_of(job.settings.search.algorithm).columns
    write_csv(job.history(STAGE), rows, [*SEARCH_COLUMNS, *best, *diagnostics])
    write_csv(job.history("evaluations"), evaluations, [*EVALUATION_COLUMNS, *metrics, "decisions"])
    write_json(job.unit / "architecture.json", content | {"provenance": job.provenance(device)})


def _metrics(loss: float, accuracy: float, count: int) -> dict[str, Tensor]:
    return {"loss": torch.tensor(loss), "accuracy": torch.tensor(accuracy), "count": torch.tensor(float(count))}
