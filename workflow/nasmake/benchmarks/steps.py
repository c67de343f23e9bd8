"""Time and memory of training steps and evaluations: the supernet against the stand-alone network of the same path."""

import random
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
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
VMHWM = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


def stepper(model: nn.Module, x: torch.Tensor, classes: int, paths: int = 1) -> Callable[[], None]:
    """Return a function that trains a model for one step of SGD with momentum.

    Args:
        model: maps [N, C, H, W] to logits [N, classes].
        x: images [N, C, H, W].
        classes: number of classes.
        paths: forward and backward passes of a step.
    """
    optimizer = SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=4e-5)
    labels = torch.arange(len(x)) % classes

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        for _ in range(paths):
            (cross_entropy(model(x), labels) / paths).backward()
        optimizer.step()

    return step


def step_ratios(name: str, paths: int, repeats: int) -> dict[str, Any]:
    """Compare a step of the supernet with one of the stand-alone network.

    Args:
        name: of the search space.
        paths: number of random networks.
        repeats: timed steps of each network; the smallest time counts.

    Returns:
        Ratios of the times if both are in channels_last memory, ratios against a stand-alone network in NCHW memory,
        and the smallest and largest time of a supernet step in CPU seconds.
    """
    space, rng = shipped_space(name), random.Random(0)
    supernet = channels_last(Supernet(space, CHANNELS))
    x = images(BATCH, EDGE, CHANNELS)
    times = []
    for _ in range(paths):
        supernet.sample_active_subnet(rng)
        alone = channels_last(supernet.get_active_subnet())
        compared = ((supernet, x), (alone, x), (contiguous_copy(alone), x.contiguous()))
        times.append(smallest_times([stepper(model, batch, space.num_classes) for model, batch in compared], repeats))
    seconds = [shared for shared, _, _ in times]
    return {
        "same_layout": spread([shared / same for shared, same, _ in times]),
        "against_nchw": spread([shared / nchw for shared, _, nchw in times]),
        "step_seconds": {"low": min(seconds), "high": max(seconds)},
    }


def contiguous_copy(network: Network) -> Network:
    """Return a copy of the network in torch's default layout, NCHW.

    `network.contiguous()` would keep the strides of 1x1 filters, from which torch infers channels_last.
    """
    copy = Network(network.spec, CHANNELS)
    copy.load_state_dict(network.state_dict())
    return copy


def evaluation_ratio(name: str, paths: int, repeats: int) -> dict[str, float]:
    """Compare the evaluation of an architecture (set, copy, forward over 1000 images) with its forward passes alone.

    The arguments are those of `step_ratios`.
    """
    space, rng, ratios = shipped_space(name), random.Random(0), []
    supernet = channels_last(Supernet(space, CHANNELS)).eval()
    batches = [images(250, EDGE, CHANNELS) for _ in range(4)]

    def evaluate(decisions: Decisions) -> None:
        supernet.set_active_subnet(decisions)
        forward(supernet.get_active_subnet().eval(), batches)

    for _ in range(paths):
        decisions = space.sample(rng)
        supernet.set_active_subnet(decisions)
        network = supernet.get_active_subnet().eval()
        actions = partial(evaluate, decisions), partial(forward, network, batches)
        evaluation, passes = smallest_times(actions, repeats)
        ratios.append(evaluation / passes)
    return spread(ratios)


@torch.no_grad()
def forward(network: nn.Module, batches: list[torch.Tensor]) -> None:
    """Run forward passes without gradients over batches [N, C, H, W]."""
    for batch in batches:
        network(batch)


def peak_memory(name: str, paths_per_step: int) -> dict[str, float]:
    """Compare the peak memory of training steps of the supernet and of the stand-alone network, in MiB.

    Each is measured in a fresh process. The memory of the imports is subtracted.

    Returns:
        The peaks, the memory of the supernet's weights, gradients and momentum (`supernet_state`), and the ratio of the
        supernet's peak to the sum of the stand-alone peak and this memory.
    """
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
    """Take three training steps with the largest path, and print the peak memory that they added, in MiB."""
    one_thread()
    space = shipped_space(name)
    largest = space.canonical(tuple(len(decision.choices) - 1 for decision in space.decisions))
    before = peak_mebibytes()
    model: nn.Module = Network(space.decode(largest), CHANNELS)
    if kind == "supernet":
        model = Supernet(space, CHANNELS)
        model.set_active_subnet(largest)
    channels_last(model)
    step = stepper(model, images(BATCH, EDGE, CHANNELS), space.num_classes, paths_per_step)
    for _ in range(3):
        step()
    print(peak_mebibytes() - before)


def peak_mebibytes() -> float:
    """Return the peak memory of this process since its start, in MiB.

    On Linux the `ru_maxrss` of a fresh process starts with the peak of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (match := VMHWM.search(status.read_text())):
        return int(match[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
