"""Gradient steps on the architecture parameters: the gates of a supernet receive the gradient of the loss.

This module holds the step on one batch and the search loop over a trained supernet. The distribution and its update
rule are in `nasmake.strategies.proxyless`. It may import core, data, models, strategies and the engine.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nasmake.core.seeding import python_random
from nasmake.data.loading.arrays import BatchSource
from nasmake.engine.metrics import scores
from nasmake.models.batchnorm import batch_statistics
from nasmake.models.supernet import Supernet
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.strategies.base import Evaluation
from nasmake.strategies.loop import SearchLoop
from nasmake.strategies.probabilities import Probabilities
from nasmake.strategies.proxyless import Gates, ProxylessSearch


def gate_step(
    supernet: Supernet, strategy: ProxylessSearch, images: Tensor, labels: Tensor, rng: random.Random
) -> dict[str, Tensor]:
    """Draw gates and update the distribution by their gradient on one val batch (arXiv 1812.00332, section 3.2.1).

    The weights and their gradients stay unchanged. The network of the drawn gates is active afterwards.

    Args:
        supernet: of a space with one decision per block and one width behind each block.
        strategy: owns the distribution.
        images: [N, C, H, W], without augmentation.
        labels: int64 [N].
        rng: draws the gates.

    Returns:
        The sums of `metrics.scores` for the active network.
    """
    gates = strategy.sample_gates(rng)
    with batch_statistics(supernet), _frozen(supernet), torch.enable_grad():
        values = open_gates(gates, images.device)
        logits = gated_logits(supernet, gates, values, images)
        loss = cross_entropy(logits.float(), labels)
        gradients = torch.cat(torch.autograd.grad(loss, values)).cpu().double()  # MPS has no float64
    supernet.set_active_subnet(gates.active)
    by_decision = gradients.split([len(options) for options in gates.options])
    strategy.step(gates, [gradient.numpy() for gradient in by_decision], loss.item())
    return scores(logits.detach(), labels, loss.detach())


def open_gates(gates: Gates, device: torch.device | None = None) -> list[Tensor]:
    """Return one leaf tensor per decision, [options]: 1 for the active option, 0 for the others that compete."""
    pairs = zip(gates.options, gates.active, strict=True)
    vectors = ([float(option == active) for option in options] for options, active in pairs)
    return [torch.tensor(vector, device=device, requires_grad=True) for vector in vectors]


def gated_logits(supernet: Supernet, gates: Gates, values: Sequence[Tensor], images: Tensor) -> Tensor:
    """Return the logits of a supernet in which the output of a block is sum_j g_j o_j(x) (arXiv 1812.00332, Eq. 2).

    Gradients flow through the active options only, because the gates of the others are 0. The other options therefore
    add the memory of their outputs to that of one network, and no more, whether two or all options compete.

    Args:
        supernet: its active subnet is undefined afterwards.
        gates: the options that are summed.
        values: g, one-hot [options] for each decision.
        images: [N, C, H, W].

    Returns:
        [N, class_num].
    """
    x = supernet.stem(images)
    for block in supernet.fixed:
        x = block(x)
    for index, (options, active, vector) in enumerate(zip(gates.options, gates.active, values, strict=True)):
        (in_channels,) = supernet.space.blocks[index].in_channel_choices
        outputs = []
        for option, gate in zip(options, vector, strict=True):
            with torch.set_grad_enabled(option == active and torch.is_grad_enabled()):
                output = x  # option Zero has no layers
                for layer in supernet.activate(index, supernet.space.layers(index, in_channels, (option,))):
                    output = layer(output)
            outputs.append(gate * output)
        x = reduce(torch.add, outputs)
    logits: Tensor = supernet.classifier(supernet.head(x))
    return logits


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Compute no gradients of weights.

    Autocast caches copies of weights that require gradients. Frozen weights are not cached, so no copy from before an
    update is used.
    """
    learnable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learnable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learnable:
            parameter.requires_grad_(True)


class GateLoop(SearchLoop):
    """A search whose steps update the distribution; the last step of an epoch evaluates the distribution's mode.

    Args:
        strategy: owns the distribution.
        seed_key: the first parts of the seed key of all random draws, such as (seed, "search_architecture").
        epoch_steps: steps of an epoch, at least 2.
        inherited: evaluates the modes with the weights of the supernet, which stay unchanged.
        batches: shuffled val batches. The updates take one after another, in a new order in every round.
    """

    def __init__(
        self,
        strategy: ProxylessSearch,
        seed_key: tuple[int | str, ...],
        epoch_steps: int,
        inherited: InheritedEvaluator,
        batches: BatchSource,
    ) -> None:
        super().__init__(strategy, inherited)
        self.distribution, self.seed_key, self.epoch_steps = strategy, seed_key, epoch_steps
        self.supernet, self.batches = inherited.supernet, batches
        self.by_epoch: list[Probabilities] = []

    def step(self, step: int) -> tuple[float, float] | None:
        """Return mean loss and accuracy (0..1) over the batch of an update; None after an evaluation of the mode."""
        epoch, index = divmod(step, self.epoch_steps)
        rng = python_random(*self.seed_key, step)
        if index + 1 == self.epoch_steps:
            self.evaluate(self.distribution.feasible_mode(rng), epoch)
            self.by_epoch.append(self.distribution.probabilities())
            return None
        batch = self.batches.batch(*divmod(step - epoch, len(self.batches)))
        sums = {name: value.item() for name, value in gate_step(self.supernet, self.distribution, *batch, rng).items()}
        return sums["loss"] / sums["count"], sums["accuracy"] / sums["count"]

    def conclusion(self) -> Evaluation | None:
        """Return the evaluation of the last mode."""
        return self.evaluations[self.strategy.space.canonical(self.observed[-1].decisions)]

    def diagnostics(self, steps: int) -> dict[str, float]:
        """Return the diagnostics of the distribution in its current state; `steps` does not matter."""
        return self.distribution.state_diagnostics()

    def probabilities(self, steps: int) -> Probabilities:
        """Return the probabilities of the options after the first `steps` steps, a whole number of epochs."""
        return self.by_epoch[steps // self.epoch_steps - 1]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the distribution, and its probabilities at the end of every epoch."""
        return {"distribution": self.distribution.state_dict(), "by_epoch": self.by_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.distribution.load_state_dict(state["distribution"])
        self.by_epoch = state["by_epoch"]
