"""Measuring a latency table: every piece of a space as a stand-alone module on the training device."""

import math
import platform
import statistics
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from nasmake.config import Config
from nasmake.core.files import read_json, write_json
from nasmake.core.hardware import processor
from nasmake.core.seeding import python_random
from nasmake.costs.table import NANOSECONDS
from nasmake.costs.units import ProfiledUnit, units_of_space
from nasmake.engine.device import Runtime, start
from nasmake.jobs.job import Job
from nasmake.models.layers import Classifier, ConvBN, Layer, channels_last
from nasmake.search_spaces import Convolution, LayerSpec

BURST = 10  # timed passes in a row; then it is another piece's turn
FILL = 0.01  # of all weights and images: what they hold changes no time, and drawing it would take as long as measuring


def measure_latency(job: Job) -> None:
    """Run the rule: latency.json."""
    settings = job.settings
    runtime = start(job.accelerator, settings.trainer.num_threads)
    space = job.space()
    height, _, channels = shape = read_json(job.dataset / "manifest.json")["image_shape"]
    times = time_units(units_of_space(space, channels, height), runtime, settings)
    facts = {"space": space.name, "space_hash": space.hash, "image_shape": shape} | dataset_facts(runtime, settings)
    entries = {key: _entry(own) for key, own in times.items()}
    write_json(job.unit / "latency.json", facts | {"entries": entries, "provenance": job.provenance(runtime.name)})


def dataset_facts(runtime: Runtime, settings: Config) -> dict[str, Any]:
    """What the times hold for, beside space and image size."""
    return {
        "accelerator": runtime.accelerator,
        "device": runtime.device.type,
        "device_name": torch.cuda.get_device_name() if runtime.device.type == "cuda" else processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": settings.trainer.num_threads,
        "precision": settings.trainer.precision,
        "batch_size": settings.latency.batch_size,
        "runs": settings.latency.runs,
        "warmup": settings.latency.warmup,
        "torch": torch.__version__,
    }


def time_units(units: Mapping[str, ProfiledUnit], runtime: Runtime, settings: Config) -> dict[str, list[int]]:
    """Nanoseconds of `latency.runs` forward passes of each piece, by its key.

    They are taken in bursts: a round gives each piece one burst, in an order of its own, so that a machine that slows
    down for a while slows no piece more than others.
    """
    timer = Timer(runtime.device, settings)
    plans = {key: plan(unit) for key, unit in units.items()}
    times: dict[str, list[int]] = {key: [] for key in units}
    rounds = math.ceil(settings.latency.runs / BURST)
    for number in range(rounds):
        began = time.monotonic()
        order = sorted(units)
        python_random(settings.nas.seed, "measure_latency", number).shuffle(order)
        for key in order:
            runs = min(BURST, settings.latency.runs - number * BURST)
            times[key] += timer.burst(build(plans[key], runtime.device), units[key], runs)
        print(f"round {number + 1:>3} of {rounds}  {len(units)} pieces  {time.monotonic() - began:.1f}s", flush=True)
    return times


@dataclass(frozen=True)
class Timer:
    """Times modules on one device."""

    device: torch.device
    settings: Config

    @torch.no_grad()
    def burst(self, module: nn.Module, unit: ProfiledUnit, runs: int) -> list[int]:
        """Nanoseconds of `runs` forward passes in eval mode, after `latency.warmup` that do not count."""
        images = self._images(unit)
        synchronise = torch.get_device_module(self.device).synchronize
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_mixed):
            for _ in range(self.settings.latency.warmup):
                module(images)
            times = []
            for _ in range(runs):
                synchronise()
                began = time.perf_counter_ns()
                module(images)
                synchronise()
                times.append(time.perf_counter_ns() - began)
        return times

    @property
    def _is_mixed(self) -> bool:
        return self.settings.trainer.precision == "bf16-mixed"

    def _images(self, unit: ProfiledUnit) -> Tensor:
        """A batch as it reaches the piece within a network: in mixed precision only the stem still gets float32."""
        is_stem = isinstance(unit.part, Convolution) and not unit.num_classes
        dtype = torch.bfloat16 if self._is_mixed and not is_stem else torch.float32
        shape = (self.settings.latency.batch_size, unit.part.in_channels, unit.input_size, unit.input_size)
        return torch.full(shape, FILL, dtype=dtype, device=self.device).contiguous(memory_format=torch.channels_last)


def plan(unit: ProfiledUnit) -> nn.Module:
    """The module of a piece in eval mode, without memory for weights: those of a whole space may be a gigabyte."""
    with torch.device("meta"):
        return channels_last(_module(unit).eval())


def build(planned: nn.Module, device: torch.device) -> nn.Module:
    """The module of a plan, with one value in all of its weights."""
    module = deepcopy(planned).to_empty(device=device)
    for tensor in chain(module.parameters(), module.buffers()):
        tensor.data.fill_(FILL)
    return module


def _module(unit: ProfiledUnit) -> nn.Module:
    if isinstance(unit.part, LayerSpec):
        return Layer(unit.part)
    convolution = ConvBN(unit.part)
    if not unit.num_classes:
        return convolution
    return nn.Sequential(convolution, Classifier(unit.part.out_channels, unit.num_classes, dropout=0.0))


def _entry(times: list[int]) -> dict[str, float]:
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    median = round(statistics.median(times))
    return {"median_ms": median / NANOSECONDS, "iqr_ms": (high - low) / NANOSECONDS, "runs": len(times)}
