"""The two jobs that measure a list of networks: scores with inherited weights, and training from scratch.

The results are turned into findings by nasmake.evidence.results. Of the other modules of this room only tabulation
imports torch.
"""

from collections.abc import Callable, Iterator
from math import inf, isfinite
from typing import Any

import torch

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_csv, write_json
from nasmake.core.records import COMPLETE, json_of, read_supernet
from nasmake.core.seeding import numpy_generator
from nasmake.engine.device import seed_torch
from nasmake.engine.metrics import evaluate
from nasmake.engine.resume import ResumeFolder
from nasmake.engine.stage_module import DivergedError
from nasmake.engine.stage_run import StageRun, stage
from nasmake.jobs.job import Job
from nasmake.models.network import Network
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.retrain import Retraining
from nasmake.stages.search_architecture import trained_supernet

SCORES, TRAINED = "scores.csv", "trained.csv"
SCORE_COLUMNS = ("decisions", *(f"{kind}{name}" for kind in ("", "raw_", "shuffled_") for name in ("loss", "accuracy")))
TRAINED_COLUMNS = ("decisions", "val_loss", "val_accuracy", "test_loss", "test_accuracy")


def score_networks(job: Job) -> None:
    """Score a list of networks under a supernet, and write scores.csv.

    Each network is scored three times: as a search does, without BatchNorm recalibration, and with shuffled labels.

    Raises:
        InputError: the training of the supernet diverged.
    """
    path = job.inputs["supernet"].with_suffix(".json")
    record = read_supernet(path)
    if record.state != COMPLETE:
        raise InputError(f"{path}: state is {record.state} ({record.reason}); expected {COMPLETE}; lower supernet.lr")
    with stage(job, SCORES) as run:
        space = run.space()
        supernet = trained_supernet(run, space, json_of(record))
        inherited, shuffled = (InheritedEvaluator(run, supernet) for _ in range(2))
        labels, generator = shuffled.val.labels, numpy_generator(job.settings.nas.seed, "evidence", "shuffled labels")
        shuffled.val.labels = labels[torch.from_numpy(generator.permutation(len(labels))).to(labels.device)]
        rows = []
        for decisions in _listed(job, space):
            row: dict[str, Any] = {"decisions": " ".join(map(str, decisions))} | _scores("", *inherited(decisions))
            row |= _scores("raw_", *inherited.uncalibrated(decisions)) | _scores("shuffled_", *shuffled(decisions))
            rows.append(row)
        write_csv(job.unit / SCORES, rows, SCORE_COLUMNS)


def train_networks(job: Job) -> None:
    """Train every network of a list from scratch on train with one seed, and write trained.csv.

    Val and test are read once per network, after its training. A network that was finished before a restart is kept.

    Raises:
        InputError: the training of a network diverged.
    """
    with stage(job, TRAINED) as run:
        write_csv(job.unit / TRAINED, train_each(run, _trained), TRAINED_COLUMNS)


def train_each(run: StageRun, train: Callable[[StageRun, Decisions], dict[str, Any]]) -> list[dict[str, Any]]:
    """Train every network of the list of a job, and return one row per network.

    A row is kept in the folder of the training state, so a network that was finished before a restart is not trained
    again.

    Args:
        run: the stage.
        train: trains one network in a folder of its own, and returns its row.
    """
    rows = []
    for index, decisions in enumerate(_listed(run.job, run.space())):
        folder = ResumeFolder(run.folder.path / str(index))
        done = folder.path / "row.json"
        if not done.is_file():
            folder.path.mkdir(exist_ok=True)
            write_json(done, train(StageRun(run.job, run.runtime, run.splits, folder), decisions))
        rows.append(read_json(done))
    return rows


def _trained(run: StageRun, decisions: Decisions) -> dict[str, Any]:
    settings, splits = run.job.settings.retrain, run.splits
    seed_key, epochs = (run.job.settings.nas.seed, run.job.stage), run.job.settings.nas.num_epochs_retrain or 1
    seed_torch(torch.device("cpu"), *seed_key, "weights")
    network = run.runtime.lay_out(Network(run.space().decode(decisions), splits.in_channels))
    source = splits.training("train", settings.hyperparameters.batch_size, run.job.stage, settings.cutout_length)
    module = Retraining(network, source, None, settings, epochs, seed_key)
    try:
        run.fit(module, source, epochs, gradient_clip=settings.gradient_clip)
    except DivergedError as diverged:
        raise InputError(
            f"network {list(decisions)}: training diverged ({diverged}); lower retrain.hyperparameters.base_lr"
        ) from None
    network.load_state_dict(run.weights(module.weights_prefix))
    network.to(run.runtime.device)
    row: dict[str, Any] = {"decisions": " ".join(map(str, decisions))}
    for name in ("val", "test"):
        row |= _scores(f"{name}_", *evaluate(network, splits.evaluation(name, run.job.settings.search.batch_size)))
    return row


def _scores(prefix: str, loss: float, accuracy: float) -> dict[str, float]:
    return {f"{prefix}loss": loss if isfinite(loss) else inf, f"{prefix}accuracy": accuracy}


def _listed(job: Job, space: SearchSpace) -> Iterator[Decisions]:
    return (space.parse(network["decisions"]) for network in read_json(job.inputs["networks"])["networks"])
