"""Supernet training and architecture search at the same time: weight steps and steps of the distribution in turn.

ASNG-NAS (arXiv 1905.08537, algorithm 2), ProxylessNAS (arXiv 1812.00332, section 3.2.1) and its REINFORCE variant
(section 3.3.2). Weights learn from train, the distribution from single batches of val.
"""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nasmake.config import Config
from nasmake.core.records import PRUNED
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.metrics import scores
from nasmake.engine.stage_module import DivergedError
from nasmake.engine.stage_run import StageRun, cost_table, stage
from nasmake.jobs.job import Job
from nasmake.models.batchnorm import batch_statistics
from nasmake.models.supernet import Supernet
from nasmake.path_samplers import Asng, PathSampler
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.gates import gate_step
from nasmake.stages.search_architecture import Evaluations, random_baseline
from nasmake.stages.search_output import SearchRecords, evaluation_rows, found, probability_rows, write_search
from nasmake.stages.train_supernet import SupernetTraining, new_path_sampler, new_supernet, write_supernet
from nasmake.strategies import Evaluation, make_strategy
from nasmake.strategies.constraints import check_feasible
from nasmake.strategies.distribution import Distribution, DistributionStrategy
from nasmake.strategies.objective import Objective
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import ProxylessSearch

STAGE = "search_supernet"


class SupernetSearch(SupernetTraining):
    """Alternates weight steps and steps of the distribution, after search.warmup_ratio of the epochs.

    At the end of each of these epochs the mode of the distribution is evaluated as in a search of its own: it is what
    the search would find now. Scores of different epochs are those of different weights.

    Attributes:
        evaluations: of the modes, epoch by epoch.
        probabilities: of the distribution, epoch by epoch.
    """

    stage = STAGE

    def __init__(
        self,
        supernet: Supernet,
        sampler: PathSampler,
        source: BatchSource,
        settings: Config,
        strategy: Distribution,
        val: BatchSource,
        inherited: InheritedEvaluator,
    ) -> None:
        super().__init__(supernet, sampler, source, settings)
        if isinstance(sampler, Asng):
            sampler.distribution = strategy
        self.strategy, self.val, self.inherited = strategy, val, inherited
        self.evaluations: list[Evaluation] = []
        self.probabilities: list[Probabilities] = []
        self.warmup = int(settings.search.warmup_ratio * settings.nas.num_epochs_supernet_train)

    def training_step(self, step: int, batch_idx: int) -> dict[str, Any]:
        """A weight step and, where one is due, a step of the distribution."""
        outputs = super().training_step(step, batch_idx)
        place = (self.current_epoch - self.warmup) * len(self.source) + batch_idx
        if place < 0 or (place + 1) % self.settings.search.update_interval:
            return outputs
        update = place // self.settings.search.update_interval
        batch = self.val.batch(*divmod(update, len(self.val)))
        rng = python_random(self.settings.nas.seed, STAGE, "update", update)
        return outputs | {"val_metrics": distribution_step(self.supernet, self.strategy, *batch, rng)}

    def epoch_summary(self) -> dict[str, float]:
        """The learning rate, how the distribution is doing, and the evaluation of its mode."""
        summary = super().epoch_summary() | self.strategy.state_diagnostics()
        self.probabilities.append(self.strategy.probabilities())
        return summary if self.current_epoch < self.warmup else summary | self._evaluate_mode()

    def _evaluate_mode(self) -> dict[str, float]:
        rng = python_random(self.settings.nas.seed, STAGE, "mode", self.current_epoch)
        mode = self.strategy.space.canonical(self.strategy.feasible_mode(rng))
        with self.trainer.precision_plugin.forward_context():  # that of the steps; this is called after them
            _, uncalibrated = self.inherited.uncalibrated(mode)
            loss, accuracy = self.inherited(mode)
        objective = Objective(self.strategy.costs, self.strategy.settings)
        own = objective.evaluation(mode, loss, accuracy, self.current_epoch)
        self.evaluations.append(own)
        costs = {f"best_{metric}": cost for metric, cost in self.strategy.costs.of(mode).items()}
        scores = {"best_objective": own.objective, "best_val_loss": own.val_loss, "best_val_accuracy": accuracy}
        scores["uncalibrated_val_accuracy"] = uncalibrated
        return {"evaluated": len(self.evaluations)} | scores | costs

    def evaluations_worth(self) -> int:
        """How many evaluations of networks cost what the search does, weight steps aside."""
        epochs = self.settings.nas.num_epochs_supernet_train - self.warmup
        updates = epochs * len(self.source) // self.settings.search.update_interval
        return epochs + self.inherited.evaluations_worth(self.strategy, updates, self.val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the distribution in, now and at the end of every epoch, and the evaluations as plain lists."""
        checkpoint["distribution"] = self.strategy.state_dict()
        checkpoint["probabilities"] = self.probabilities
        checkpoint["evaluations"] = [evaluation.to_list() for evaluation in self.evaluations]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.strategy.load_state_dict(checkpoint["distribution"])
        self.probabilities = checkpoint["probabilities"]
        self.evaluations = [Evaluation.from_list(fields) for fields in checkpoint["evaluations"]]


def search_supernet(job: Job) -> None:
    """Run the stage: the artefacts of train_supernet and of search_architecture.

    What is found is the mode at the end, evaluated with the weights at the end.
    """
    settings = job.settings
    with stage(job) as run:
        supernet, costs = new_supernet(run), cost_table(run)
        check_feasible(costs, settings.search)
        module = _module(run, supernet, costs)
        random: Evaluations = {}
        try:
            rows, reason = run.fit(module, module.source, settings.nas.num_epochs_supernet_train), None
            supernet.load_state_dict(run.weights("supernet."))
            supernet.to(run.runtime.device)
            if settings.search.random_baseline:
                random = random_baseline(run, costs, module.inherited, module.evaluations_worth(), {})
            content = found(run, costs, module.evaluations[-1], {"evaluated": len(module.evaluations)}, random.values())
        except DivergedError as diverged:
            rows, reason = diverged.rows, f"{STAGE}: {diverged}"
            content = {"state": PRUNED, "reason": reason}
        write_supernet(run, supernet, rows, reason)
        evaluated, compared = (evaluation_rows(module.strategy, own) for own in (module.evaluations, random.values()))
        probabilities = probability_rows(costs.space, module.probabilities[: len(rows)])
        records = SearchRecords(rows, evaluated, compared, probabilities)
        write_search(job, run.runtime.name, content, records)


def _module(run: StageRun, supernet: Supernet, costs: CostTable) -> SupernetSearch:
    settings = run.job.settings
    strategy = make_strategy(costs.space, costs, settings.search)
    assert isinstance(strategy, Distribution)
    return SupernetSearch(
        supernet,
        new_path_sampler(costs, settings.supernet),
        run.splits.training("train", settings.supernet.batch_size, STAGE),
        settings,
        strategy,
        run.splits.shuffled("val", settings.search.batch_size, STAGE),
        InheritedEvaluator(run, supernet),
    )


def distribution_step(
    supernet: Supernet, strategy: Distribution, images: Tensor, labels: Tensor, rng: random.Random
) -> dict[str, Tensor]:
    """Move the distribution by what one batch of val says of the networks, or gates, that are drawn from it.

    Returns:
        Sums over all networks and images, see `scores`.
    """
    if isinstance(strategy, ProxylessSearch):
        return gate_step(supernet, strategy, images, labels, rng)
    assert isinstance(strategy, DistributionStrategy)
    candidates = strategy.draw(rng, strategy.generation_size)
    sums: list[dict[str, Tensor]] = []
    with batch_statistics(supernet), torch.no_grad():
        for candidate in candidates:
            supernet.set_active_subnet(candidate)
            logits = supernet(images)
            sums.append(scores(logits, labels, cross_entropy(logits.float(), labels)))
    totals = {name: torch.stack([own[name] for own in sums]) for name in sums[0]}
    losses, accuracies = ((totals[name] / totals["count"]).tolist() for name in ("loss", "accuracy"))
    objective = Objective(strategy.costs, strategy.settings)
    observed = [objective.evaluation(*own) for own in zip(candidates, losses, accuracies, strict=True)]
    strategy.update(np.array(candidates), strategy.losses(observed))
    return {name: total.sum() for name, total in totals.items()}
