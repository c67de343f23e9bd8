"""Measure the latency table of a search space: every profiled unit as a stand-alone module on the training device.

A profiled unit is the part of a network whose time is measured by itself: the stem, a layer, or the head with the
classifier. `nasmake.costs` lists the units and reads the table. This module may import core, config, search_spaces,
costs, models, jobs and the engine.
"""

import math
import platform
import statistics
import time
from collections.abc import Mapping
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import nn

from nasmake.config import Config
from nasmake.core.files import read_json, write_json
from nasmake.core.hardware import processor
from nasmake.core.seeding import python_random
from nasmake.costs.own_costs import check_operations
from nasmake.costs.table import NANOSECONDS
from nasmake.costs.units import ProfiledUnit, units_of_space
from nasmake.engine.device import Runtime, start
from nasmake.jobs.job import Job
from nasmake.models.layers import Classifier, ConvBN, Layer, make_head
from nasmake.search_spaces import Convolution, LayerSpec

BURST = 10  # timed passes of one unit before the next unit is timed
# Value of all weights and images. Values do not change the times, and drawing them would take as long as measuring.
FILL = 0.01


def measure_latency(job: Job) -> None:
    """Run the rule: write latency.json."""
    settings = job.settings
    runtime = start(job.accelerator, settings.trainer.num_threads, settings.trainer.precision)
    space = job.space()
    height, _, channels = shape = read_json(job.dataset / "manifest.json")["image_shape"]
    units = units_of_space(space, channels, height)
    check_operations(units.values())
    times = time_units(units, runtime, settings)
    entries = {}
    for key, nanoseconds in times.items():
        low, _, high = statistics.quantiles(nanoseconds, n=4, method="inclusive")
        median = round(statistics.median(nanoseconds))
        entries[key] = {
            "median_ms": median / NANOSECONDS,
            "iqr_ms": (high - low) / NANOSECONDS,
            "runs": len(nanoseconds),
        }
    table = {"space": space.name, "space_hash": space.hash, "image_shape": shape} | conditions(runtime, settings)
    write_json(job.unit / "latency.json", table | {"entries": entries, "provenance": job.provenance(runtime.name)})


def conditions(runtime: Runtime, settings: Config) -> dict[str, Any]:
    """Return the conditions, besides space and image size, under which the times of a table hold."""
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
    """Return the times in nanoseconds of latency.runs forward passes of each unit, by its key.

    The passes are timed in bursts. A round has one burst of each unit, in an order that differs between rounds. A
    machine that slows down for a while therefore slows all units alike.
    """
    plans = {key: plan(unit, runtime) for key, unit in units.items()}
    times: dict[str, list[int]] = {key: [] for key in units}
    rounds = math.ceil(settings.latency.runs / BURST)
    for number in range(rounds):
        began = time.monotonic()
        order = sorted(units)
        python_random(settings.nas.seed, "measure_latency", number).shuffle(order)
        runs = min(BURST, settings.latency.runs - number * BURST)
        for key in order:
            module = build(plans[key], runtime.device)
            times[key] += time_burst(module, units[key], runs, runtime, settings)
        print(f"round {number + 1:>3} of {rounds}  {len(units)} units  {time.monotonic() - began:.1f}s", flush=True)
    return times


@torch.no_grad()
def time_burst(module: nn.Module, unit: ProfiledUnit, runs: int, runtime: Runtime, settings: Config) -> list[int]:
    """Return the times in nanoseconds of `runs` forward passes, after latency.warmup passes that are not timed.

    The images have the form in which they reach the unit within a network: [latency.batch_size, in_channels, H, W] in
    the memory format of the device. In mixed precision they are bfloat16, but float32 before the stem.

    Args:
        module: the unit in eval mode, on `device`.
        unit: what the module computes.
        runs: number of timed passes.
        runtime: the device of the module.
        settings: sections `latency` and `trainer`.
    """
    is_mixed = settings.trainer.precision == "bf16-mixed"
    is_stem = isinstance(unit.part, Convolution) and not unit.num_classes
    dtype = torch.bfloat16 if is_mixed and not is_stem else torch.float32
    shape = (settings.latency.batch_size, unit.part.in_channels, unit.input_size, unit.input_size)
    device = runtime.device
    images = torch.full(shape, FILL, dtype=dtype, device=device).contiguous(memory_format=runtime.memory_format)
    synchronise = torch.get_device_module(device).synchronize
    times = []
    with torch.autocast(device.type, torch.bfloat16, enabled=is_mixed):
        for _ in range(settings.latency.warmup):
            module(images)
        for _ in range(runs):
            synchronise()
            began = time.perf_counter_ns()
            module(images)
            synchronise()
            times.append(time.perf_counter_ns() - began)
    return times


def plan(unit: ProfiledUnit, runtime: Runtime) -> nn.Module:
    """Return the module of a unit in eval mode, without memory for weights: a whole space may need a gigabyte."""
    with torch.device("meta"):
        if isinstance(unit.part, LayerSpec):
            module: nn.Module = Layer(unit.part)
        else:
            module = make_head(unit.part) if unit.num_classes else ConvBN(unit.part)
            if unit.num_classes:
                module = nn.Sequential(module, Classifier(unit.part.out_channels, unit.num_classes, dropout=0.0))
        return runtime.lay_out(module.eval())


def build(planned: nn.Module, device: torch.device) -> nn.Module:
    """Return a module like `planned` with memory on `device`; all of its weights have the value FILL."""
    module = deepcopy(planned).to_empty(device=device)
    for tensor in chain(module.parameters(), module.buffers()):
        tensor.data.fill_(FILL)
    return module
