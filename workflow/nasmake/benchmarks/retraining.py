"""The whole stage `retrain` on digits against a plain torch loop over the same network, batches and epochs."""

import random
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import count
from os import devnull
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.optim import SGD

from nasmake.benchmarks import shipped_space, smallest_times
from nasmake.benchmarks.steps import take_step
from nasmake.config import Config, load
from nasmake.core.files import write_json
from nasmake.core.records import COMPLETE
from nasmake.data.preparing.prepare import prepare
from nasmake.engine.metrics import evaluate
from nasmake.engine.splits import Splits
from nasmake.jobs.job import Job
from nasmake.models.layers import channels_last
from nasmake.models.network import Network
from nasmake.pipeline.stages import STAGES, settings_of
from nasmake.search_spaces import Architecture
from nasmake.stages.retrain import retrain

SPACE = "proxyless_digits"


def retraining_ratio(epochs: int, repeats: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the CPU seconds of the stage and of the loop, the smallest of `repeats` each, and their ratio.

    Both read the data set, and train and validate one random network. The stage also saves training states and writes
    its artefacts. Neither time contains imports.
    """
    settings = load(
        {"dataset": {"name": "digits", "num_data_architecture_search": 600}, "nas": {"num_epochs_retrain": epochs}}
        | {"optimize": {"trial_number": 1}}
    )
    space = shipped_space(SPACE)
    network = Architecture.from_decisions(space.sample(random.Random(0)), space)
    with TemporaryDirectory() as name, Path(devnull).open("w") as nowhere, redirect_stdout(nowhere):
        folder, numbers = Path(name), count()
        prepare({"name": "digits", "path": name}, folder / "digits")
        write_json(folder / "architecture.json", network.to_json() | {"state": COMPLETE})
        compared = (
            lambda: retrain(_job(settings, folder, next(numbers))),
            lambda: _bare_loop(settings, folder, network),
        )
        stage, loop = smallest_times(compared, repeats)
    yield f"{SPACE}, {epochs} epochs", {"ratio": stage / loop, "stage": stage, "loop": loop, "n": repeats}


def _job(settings: Config, folder: Path, number: int) -> Job:
    return Job(
        stage="retrain",
        received=settings_of(STAGES["retrain"], settings),
        search_space=None,
        version=STAGES["retrain"].version,
        dataset=folder / "digits",
        inputs={"architecture": folder / "architecture.json"},
        trial=0,
        unit=folder / f"unit-{number}",
        accelerator="cpu",
        display="lines",
    )


def _bare_loop(settings: Config, folder: Path, architecture: Architecture) -> None:
    """Train and validate as the stage does, with the learning rate of its peak throughout."""
    splits, chosen = Splits.open(folder / "digits", settings, torch.device("cpu")), settings.retrain.hyperparameters
    network = channels_last(Network(architecture.spec, splits.in_channels))
    source = splits.training("train", chosen.batch_size, "retrain")
    val = splits.evaluation("val", chosen.batch_size)
    decay = settings.retrain.weight_decay
    optimizer = SGD(network.parameters(), chosen.base_lr, chosen.momentum, weight_decay=decay, nesterov=True)
    for epoch in range(settings.nas.num_epochs_retrain or 1):
        network.train()
        for step in source:
            take_step(network, optimizer, *source.batch(epoch, step), settings.retrain)
        evaluate(network, val)
