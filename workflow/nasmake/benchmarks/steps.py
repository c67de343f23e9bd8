"""Training steps and evaluations: the supernet against the stand-alone network of the same path."""

import random
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from nasmake.benchmarks import images, one_thread, shipped_space, smallest_times, spread
from nasmake.models.layers import channels_last
from nasmake.models.network import Network
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions

BATCH, EDGE, CHANNELS = 64, 32, 3
UNIT = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss counts bytes on a Mac, KiB on Linux


def stepper(model: nn.Module, x: torch.Tensor, classes: int, paths: int = 1) -> Callable[[], None]:
    """One training step of a model: forward, backward, and SGD with momentum, over `paths` passes."""
    optimizer = SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=4e-5)
    labels = torch.arange(len(x)) % classes

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        for _ in range(paths):
            (cross_entropy(model(x), labels) / paths).backward()
        optimizer.step()

    return step


def step_ratios(name: str, paths: int, repeats: int) -> dict[str, Any]:
    """Step of the supernet over that of the stand-alone network: in the same layout, and against NCHW.

    Beside them the smallest and largest of all steps of the supernet, in CPU seconds.
    """
    space, rng = shipped_space(name), random.Random(0)
    supernet = channels_last(Supernet(space, CHANNELS))
    x = images(BATCH, EDGE, CHANNELS)
    times = []
    for _ in range(paths):
        supernet.sample_active_subnet(rng)
        alone = channels_last(supernet.get_active_subnet())
        compared = ((supernet, x), (alone, x), (contiguous_copy(alone), x.contiguous()))
        times.append(smallest_times([stepper(model, own, space.num_classes) for model, own in compared], repeats))
    seconds = [shared for shared, _, _ in times]
    return {
        "same_layout": spread([shared / same for shared, same, _ in times]),
        "against_nchw": spread([shared / nchw for shared, _, nchw in times]),
        "step_seconds": {"low": min(seconds), "high": max(seconds)},
    }


def contiguous_copy(network: Network) -> Network:
    """The network in torch's default layout, NCHW.

    A fresh one: `contiguous()` keeps the strides of a 1x1 filter, from which torch then infers channels_last.
    """
    fresh = Network(network.spec, CHANNELS)
    fresh.load_state_dict(network.state_dict())
    return fresh


def evaluation_ratio(name: str, paths: int, repeats: int) -> dict[str, float]:
    """Evaluating an architecture (set, copy, forward over val images) over the forward passes alone."""
    space, rng, ratios = shipped_space(name), random.Random(0), []
    supernet = channels_last(Supernet(space, CHANNELS)).eval()
    batches = [images(250, EDGE, CHANNELS) for _ in range(4)]
    for _ in range(paths):
        decisions = space.sample(rng)
        supernet.set_active_subnet(decisions)
        network = supernet.get_active_subnet().eval()

        evaluate = partial(_evaluate, supernet, decisions, batches)
        evaluated, passed = smallest_times([evaluate, partial(forward, network, batches)], repeats)
        ratios.append(evaluated / passed)
    return spread(ratios)


def _evaluate(supernet: Supernet, decisions: Decisions, batches: list[torch.Tensor]) -> None:
    supernet.set_active_subnet(decisions)
    forward(supernet.get_active_subnet().eval(), batches)


@torch.no_grad()
def forward(network: nn.Module, batches: list[torch.Tensor]) -> None:
    """Forward passes without gradients."""
    for batch in batches:
        network(batch)


def peak_memory(name: str, paths_per_step: int) -> dict[str, float]:
    """Peak memory of steps in a fresh process each, in MiB above what the imports take."""
    peaks = {}
    for kind in ("supernet", "alone"):
        code = f"from nasmake.benchmarks.steps import take_steps; take_steps({name!r}, {kind!r}, {paths_per_step})"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        peaks[kind] = float(done.stdout)
    space = shipped_space(name)
    parameters = sum(parameter.numel() for parameter in Supernet(space, CHANNELS).parameters())
    state = 3 * 4 * parameters / 2**20  # weights, gradients and momentum, float32
    return peaks | {"supernet_state": state, "ratio": peaks["supernet"] / (peaks["alone"] + state)}


def take_steps(name: str, kind: str, paths_per_step: int) -> None:
    """Take three steps with the largest path and print the peak memory they added, in MiB."""
    one_thread()
    space = shipped_space(name)
    largest = space.canonical(tuple(len(decision.choices) - 1 for decision in space.decisions))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model: nn.Module = Network(space.decode(largest), CHANNELS)
    if kind == "supernet":
        model = Supernet(space, CHANNELS)
        model.set_active_subnet(largest)
    channels_last(model)
    step = stepper(model, images(BATCH, EDGE, CHANNELS), space.num_classes, paths_per_step)
    for _ in range(3):
        step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / UNIT)
