"""One step on the architecture parameters: the gates of a supernet receive the gradient of the loss of one batch."""

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
    """Draw gates, and move the distribution by what one batch of val says of them (arXiv 1812.00332, section 3.2.1).

    Weights are frozen: none has a gradient afterwards that it did not have before. The active network stays active.

    Args:
        supernet: of a space with one decision per block and one width behind each block.
        strategy: the distribution.
        images: [N, C, H, W], as they are.
        labels: int64 [N].
        rng: decides which gates are drawn.

    Returns:
        Sums over the images of loss, right answers and number, of the active network.
    """
    gates = strategy.sample_gates(rng)
    with batch_statistics(supernet), _frozen(supernet), torch.enable_grad():
        values = open_gates(gates, images.device)
        logits = gated_logits(supernet, gates, values, images)
        loss = cross_entropy(logits.float(), labels)
        gradients = torch.cat(torch.autograd.grad(loss, values)).double().cpu()
    supernet.set_active_subnet(gates.active)
    by_decision = gradients.split([len(options) for options in gates.options])
    strategy.step(gates, [own.numpy() for own in by_decision], loss.item())
    return scores(logits.detach(), labels, loss.detach())


def open_gates(gates: Gates, device: torch.device | None = None) -> list[Tensor]:
    """One leaf per decision, 1 for the active option and 0 for the others that compete."""
    pairs = zip(gates.options, gates.active, strict=True)
    vectors = ([float(option == active) for option in options] for options, active in pairs)
    return [torch.tensor(vector, device=device, requires_grad=True) for vector in vectors]


def gated_logits(supernet: Supernet, gates: Gates, values: Sequence[Tensor], images: Tensor) -> Tensor:
    """Logits [N, class_num] of the supernet in which a block's output is sum_j g_j o_j(x), Eq. (2).

    Gradients go through the active options only, for those of the others are multiplied by gates of 0. So all that
    the others need beyond the memory of one network is that of their outputs, whether two or all of them compete.

    Args:
        supernet: which of its subnets is active is left open.
        gates: which options are summed.
        values: g, one vector per decision, one-hot.
        images: [N, C, H, W].
    """
    x = supernet.stem(images)
    for block in supernet.fixed:
        x = block(x)
    for index, (options, active, own) in enumerate(zip(gates.options, gates.active, values, strict=True)):
        outputs = []
        for option, gate in zip(options, own, strict=True):
            with torch.set_grad_enabled(option == active and torch.is_grad_enabled()):
                output = _block_output(supernet, index, option, x)
            outputs.append(gate * output)
        x = reduce(torch.add, outputs)
    logits: Tensor = supernet.classifier(supernet.head(x))
    return logits


def _block_output(supernet: Supernet, index: int, option: int, x: Tensor) -> Tensor:
    """Of one option of a block; of Zero that is the input."""
    (in_channels,) = supernet.space.blocks[index].in_channel_choices
    for layer in supernet.activate(index, supernet.space.layers(index, in_channels, (option,))):
        x = layer(x)
    return x


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """No gradients of weights, and under autocast no use of copies that it made of them before they were updated."""
    learnable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learnable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learnable:
            parameter.requires_grad_(True)


class GateLoop(SearchLoop):
    """Moves the distribution with every place of an epoch but the last, which evaluates its mode as a candidate.

    Args:
        strategy: the distribution.
        seed_key: the place of all random draws, such as (seed, "search_architecture").
        epoch_steps: places of an epoch, two or more.
        inherited: scores with the weights of the supernet, which stay as they are.
        batches: shuffled ones of val; the steps take them in turn, in a new order each time round.
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
        """Mean loss and accuracy over the batch of a step on the architecture; None at the end of an epoch."""
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
        """That of the last mode."""
        return self.evaluations[self.strategy.space.canonical(self.observed[-1].decisions)]

    def diagnostics(self, steps: int) -> dict[str, float]:
        """Those of the distribution as it is now."""
        return self.distribution.state_diagnostics()

    def probabilities(self, steps: int) -> Probabilities:
        """As they were after so many places."""
        return self.by_epoch[steps // self.epoch_steps - 1]

    def state_dict(self) -> dict[str, Any]:
        """The distribution now, and its probabilities at the end of every epoch."""
        return {"distribution": self.distribution.state_dict(), "by_epoch": self.by_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.distribution.load_state_dict(state["distribution"])
        self.by_epoch = state["by_epoch"]
