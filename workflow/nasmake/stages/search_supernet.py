"""Supernet training and architecture search at the same time: weight steps and updates of the distribution alternate.

The methods are ASNG-NAS (arXiv 1905.08537, algorithm 2), ProxylessNAS (arXiv 1812.00332, section 3.2.1) and its
REINFORCE variant (section 3.3.2). Weights learn from train, the distribution learns from single batches of val.

The update rules are in `nasmake.strategies`. This module may import core, config, data, costs, models, path_samplers,
strategies, jobs, the engine and other stages.
"""

from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nasmake.config import Config
from nasmake.core.records import PRUNED
from nasmake.core.seeding import python_random
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.metrics import scores
from nasmake.engine.stage_module import StoppedError
from nasmake.engine.stage_run import cost_table, stage
from nasmake.jobs.job import Job
from nasmake.models.batchnorm import batch_statistics
from nasmake.models.supernet import Supernet
from nasmake.path_samplers import Asng, PathSampler, make_path_sampler
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.gates import gate_step
from nasmake.stages.search_architecture import Evaluations, random_baseline
from nasmake.stages.search_output import (
    SearchRecords,
    architecture_record,
    evaluation_rows,
    probability_rows,
    write_search,
)
from nasmake.stages.train_supernet import SupernetTraining, new_supernet, write_supernet
from nasmake.strategies import Evaluation, make_strategy
from nasmake.strategies.constraints import check_feasible
from nasmake.strategies.distribution import Distribution, DistributionStrategy
from nasmake.strategies.objective import Objective
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import ProxylessSearch

STAGE = "search_supernet"


class SupernetSearch(SupernetTraining):
    """Supernet training that also updates a distribution, after search.warmup_ratio of the epochs.

    At the end of each of these epochs the mode of the distribution is evaluated, as a search over the trained supernet
    would do. The weights differ between epochs, so scores of different epochs are not comparable.

    Attributes:
        evaluations: of the modes, one per epoch after the warm-up.
        probabilities: of the distribution, one per epoch.
        warmup: number of epochs without updates of the distribution.
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
        """Update the weights and, after every search.update_interval weight steps, the distribution."""
        outputs = super().training_step(step, batch_idx)
        since_warmup = (self.current_epoch - self.warmup) * len(self.source) + batch_idx
        if since_warmup < 0 or (since_warmup + 1) % self.settings.search.update_interval:
            return outputs
        update = since_warmup // self.settings.search.update_interval
        batch = self.val.batch(*divmod(update, len(self.val)))
        rng = python_random(self.settings.nas.seed, STAGE, "update", update)
        return outputs | {"val_metrics": distribution_step(self.supernet, self.strategy, *batch, rng)}

    def epoch_summary(self) -> dict[str, float]:
        """Return the learning rate, the diagnostics of the distribution, and the scores and costs of its mode."""
        summary = super().epoch_summary() | self.strategy.state_diagnostics()
        self.probabilities.append(self.strategy.probabilities())
        return summary if self.current_epoch < self.warmup else summary | self._evaluate_mode()

    def _evaluate_mode(self) -> dict[str, float]:
        rng = python_random(self.settings.nas.seed, STAGE, "mode", self.current_epoch)
        mode = self.strategy.space.canonical(self.strategy.feasible_mode(rng))
        # Lightning calls this hook outside the precision context of the steps.
        with self.trainer.precision_plugin.forward_context():
            _, uncalibrated = self.inherited.uncalibrated(mode)
            loss, accuracy = self.inherited(mode)
        objective = Objective(self.strategy.costs, self.strategy.settings)
        evaluation = objective.evaluation(mode, loss, accuracy, self.current_epoch)
        self.evaluations.append(evaluation)
        return {
            "evaluated": len(self.evaluations),
            "best_objective": evaluation.objective,
            "best_val_loss": evaluation.val_loss,
            "best_val_accuracy": accuracy,
            "uncalibrated_val_accuracy": uncalibrated,
        } | {f"best_{metric}": cost for metric, cost in self.strategy.costs.of(mode).items()}

    def evaluations_worth(self) -> int:
        """Return the number of evaluations with the compute cost of this search, without its weight steps."""
        epochs = self.settings.nas.num_epochs_supernet_train - self.warmup
        updates = epochs * len(self.source) // self.settings.search.update_interval
        return epochs + self.inherited.evaluations_worth(self.strategy, updates, self.val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the distribution, its probabilities of every epoch, and the evaluations as plain lists."""
        checkpoint["distribution"] = self.strategy.state_dict()
        checkpoint["probabilities"] = self.probabilities
        checkpoint["evaluations"] = [evaluation.to_list() for evaluation in self.evaluations]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the distribution, its probabilities and the evaluations."""
        self.strategy.load_state_dict(checkpoint["distribution"])
        self.probabilities = checkpoint["probabilities"]
        self.evaluations = [Evaluation.from_list(fields) for fields in checkpoint["evaluations"]]


def search_supernet(job: Job) -> None:
    """Run the stage: write the artefacts of train_supernet and of search_architecture.

    The result of the search is the last mode of the distribution, evaluated with the last weights.
    """
    settings = job.settings
    with stage(job) as run:
        supernet, costs = new_supernet(run), cost_table(run)
        check_feasible(costs, settings.search)
        strategy = make_strategy(costs.space, costs, settings.search)
        assert isinstance(strategy, Distribution)
        module = SupernetSearch(
            supernet,
            make_path_sampler(costs, settings.supernet),
            run.splits.training("train", settings.supernet.batch_size, STAGE),
            settings,
            strategy,
            run.splits.shuffled("val", settings.search.batch_size, STAGE),
            InheritedEvaluator(run, supernet),
        )
        baseline: Evaluations = {}
        try:
            rows, reason = run.fit(module, module.source, settings.nas.num_epochs_supernet_train), None
            supernet.load_state_dict(run.weights("supernet."))
            supernet.to(run.runtime.device)
            if settings.search.prune_at_chance:  # the weights of earlier modes are gone
                module.inherited.check_above_chance(module.evaluations[-1:], rows)
            if settings.search.random_baseline:
                baseline = random_baseline(run, costs, module.inherited, module.evaluations_worth(), {})
            facts: dict[str, float] = {"evaluated": len(module.evaluations)}
            content = architecture_record(run, costs, module.evaluations[-1], facts, baseline.values())
        except StoppedError as stopped:
            rows, reason = stopped.rows, f"{STAGE}: {stopped}"
            content = {"state": PRUNED, "reason": reason}
        write_supernet(run, supernet, rows, reason)
        evaluated, compared = (
            evaluation_rows(strategy, evaluations) for evaluations in (module.evaluations, baseline.values())
        )
        probabilities = probability_rows(costs.space, module.probabilities[: len(rows)])
        write_search(job, run.runtime.name, content, SearchRecords(rows, evaluated, compared, probabilities))


def distribution_step(
    supernet: Supernet, strategy: Distribution, images: Tensor, labels: Tensor, rng: Random
) -> dict[str, Tensor]:
    """Draw networks or gates from the distribution, and update the distribution by their loss on one val batch.

    Args:
        supernet: its active subnet changes.
        strategy: owns the distribution.
        images: [N, C, H, W], without augmentation.
        labels: int64 [N].
        rng: draws networks or gates.

    Returns:
        The sums of `metrics.scores` over all drawn networks.
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
    by_metric = {name: torch.stack([of_candidate[name] for of_candidate in sums]) for name in sums[0]}
    losses, accuracies = ((by_metric[name] / by_metric["count"]).tolist() for name in ("loss", "accuracy"))
    objective = Objective(strategy.costs, strategy.settings)
    observed = [objective.evaluation(*scored) for scored in zip(candidates, losses, accuracies, strict=True)]
    strategy.update(np.array(candidates), strategy.losses(observed))
    return {name: values.sum() for name, values in by_metric.items()}
