"""Time and memory of training steps and evaluations: the supernet against the stand-alone network of the same path.

Steps have the default settings of their stage, with its clipping and label smoothing.
"""

import random
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from nasmake.benchmarks import one_thread, shipped_space, smallest_times, spread
from nasmake.config.retrain import Retrain
from nasmake.config.supernet import Supernet as SupernetSettings
from nasmake.engine.optimizers import build_optimizer
from nasmake.models.layers import channels_last
from nasmake.models.network import Network
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.stages.evaluator import inherited_network

# (N, H, W, C) of a batch; the 8 images of ImageNet have the pixels of 392 images of 32x32
BATCHES = {"digits": (64, 8, 8, 1), "cifar10": (64, 32, 32, 3), "imagenet": (8, 224, 224, 3)}
VAL, RECALIBRATION = 4, 8  # batches of an evaluation; the default study has 5,000 and 2,000 images
VMHWM = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
Rows = Iterator[tuple[str, dict[str, float]]]


def images(space_name: str) -> Tensor:
    """Return random images in the layout of training batches: float32 [N, C, H, W] in channels_last memory."""
    return torch.randn(BATCHES[space_name.partition("_")[2]]).permute(0, 3, 1, 2)


def take_step(
    model: nn.Module,
    optimizer: Optimizer,
    x: Tensor,
    labels: Tensor,
    settings: SupernetSettings | Retrain,
    paths: int = 1,
) -> None:
    """Train a model for one step, as a stage does.

    Args:
        model: maps [N, C, H, W] to logits [N, classes].
        optimizer: of the model.
        x: images [N, C, H, W].
        labels: int64 [N].
        settings: give label smoothing and the largest norm of the gradient.
        paths: forward and backward passes of the step.
    """
    optimizer.zero_grad(set_to_none=True)
    for _ in range(paths):
        (cross_entropy(model(x), labels, label_smoothing=settings.label_smoothing) / paths).backward()
    if settings.gradient_clip is not None:
        clip_grad_norm_(model.parameters(), settings.gradient_clip)
    optimizer.step()


def _stepper(model: nn.Module, x: Tensor, paths: int = 1) -> tuple[Optimizer, Callable[[], None]]:
    """Return an optimizer with the defaults of the supernet, and a function that takes a step with it."""
    settings = SupernetSettings()
    optimizer = build_optimizer(settings, model.parameters())
    labels = torch.arange(len(x)) % 10
    return optimizer, partial(take_step, model, optimizer, x, labels, settings, paths)


def step_ratios(spaces: Sequence[str], networks: int, repeats: int) -> Rows:
    """Compare a step of the supernet with one of the stand-alone network.

    Args:
        spaces: names of the search spaces.
        networks: number of random networks.
        repeats: timed steps of each network; the smallest time counts.

    Yields:
        For each space the ratios of the times if both are in channels_last memory, the ratios against a stand-alone
        network in NCHW memory, and the CPU seconds of a supernet step.
    """
    for name in spaces:
        space, rng, x = shipped_space(name), random.Random(0), images(name)
        supernet = channels_last(Supernet(space, x.shape[1]))
        times = []
        for _ in range(networks):
            supernet.sample_active_subnet(rng)
            alone = channels_last(supernet.get_active_subnet())
            compared = (supernet, x), (alone, x), (_contiguous_copy(alone), x.contiguous())
            times.append(smallest_times([_stepper(model, batch)[1] for model, batch in compared], repeats))
        yield f"{name}, same layout", spread([shared / same for shared, same, _ in times])
        yield f"{name}, alone in NCHW", spread([shared / nchw for shared, _, nchw in times])
        yield f"{name}, CPU seconds", spread([shared for shared, _, _ in times])


def _contiguous_copy(network: Network) -> Network:
    """Return a copy of the network in torch's default layout, NCHW.

    `network.contiguous()` would keep the strides of 1x1 filters, from which torch infers channels_last.
    """
    copy = Network(network.spec, network.stem.conv.in_channels)
    copy.load_state_dict(network.state_dict())
    return copy


def evaluation_ratios(spaces: Sequence[str], networks: int, repeats: int) -> Rows:
    """Compare the evaluation of a network in a search with forward passes of the network alone over the same images.

    An evaluation copies the network's weights from the supernet, recalibrates, folds and scores it.
    """
    for name in spaces:
        space, rng = shipped_space(name), random.Random(0)
        val, recalibration = [images(name) for _ in range(VAL)], [images(name) for _ in range(RECALIBRATION)]
        supernet = channels_last(Supernet(space, val[0].shape[1]))
        ratios = []
        for _ in range(networks):
            decisions = supernet.sample_active_subnet(rng)
            alone = channels_last(supernet.get_active_subnet()).eval()
            actions = (
                partial(_evaluate, supernet, decisions, recalibration, val),
                partial(_forward, alone, [*val, *recalibration]),
            )
            evaluation, passes = smallest_times(actions, repeats)
            ratios.append(evaluation / passes)
        yield name, spread(ratios)


def _evaluate(supernet: Supernet, decisions: Decisions, recalibration: Sequence[Tensor], val: Sequence[Tensor]) -> None:
    _forward(inherited_network(supernet, decisions, recalibration, channels_last), val)


@torch.no_grad()
def _forward(network: nn.Module, batches: Sequence[Tensor]) -> None:
    for batch in batches:
        network(batch)


def peak_memory(spaces: Sequence[str], paths_per_step: Sequence[int]) -> Rows:
    """Compare the peak memory of training steps of the supernet and of the stand-alone network, in MiB.

    Each is measured in a fresh process. The memory of the imports is subtracted.

    Yields:
        For each number of passes a step: the peaks, the states (weights, gradients, momentum and statistics) within
        them, and the ratio of the supernet's peak to the stand-alone peak with the supernet's state in place of its
        own.
    """
    for name in spaces:
        for paths in paths_per_step:
            numbers: dict[str, float] = {}
            for kind in ("supernet", "alone"):
                code = f"from nasmake.benchmarks.steps import print_memory; print_memory({name!r}, {kind!r}, {paths})"
                done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
                numbers[kind], numbers[f"{kind}_state"] = map(float, done.stdout.split())
            activations = numbers["alone"] - numbers["alone_state"]
            ratio = numbers["supernet"] / (activations + numbers["supernet_state"])
            yield f"{name}, {paths} path{'s' if paths > 1 else ''} a step", numbers | {"ratio": ratio}


def print_memory(name: str, kind: str, paths: int) -> None:
    """Take three steps with the largest network, and print the peak that they added and the state in it, in MiB."""
    one_thread()
    space, x = shipped_space(name), images(name)
    before = _peak_mebibytes()
    model = channels_last(_largest(space, kind, x.shape[1]))
    optimizer, step = _stepper(model, x, paths)
    for _ in range(3):
        step()
    moments = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    state = sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers(), *gradients, *moments])
    print(_peak_mebibytes() - before, state / 2**20)


def _largest(space: SearchSpace, kind: str, in_channels: int) -> nn.Module:
    largest = space.canonical(tuple(len(decision.choices) - 1 for decision in space.decisions))
    if kind == "alone":
        return Network(space.decode(largest), in_channels)
    supernet = Supernet(space, in_channels)
    supernet.set_active_subnet(largest)
    return supernet


def _peak_mebibytes() -> float:
    """Return the peak memory of this process since its start, in MiB.

    On Linux the `ru_maxrss` of a fresh process starts with the peak of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (match := VMHWM.search(status.read_text())):
        return int(match[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
