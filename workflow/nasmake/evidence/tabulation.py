"""The job that trains some networks of a benchmark table with one seed.

Its result depends on the network and the seed, and not on the other networks of the job. Imports torch.
"""

import time
from typing import Any

from nasmake.core.files import read_json, write_csv, write_json
from nasmake.engine.metrics import evaluate
from nasmake.engine.resume import ResumeFolder
from nasmake.engine.stage_run import StageRun, stage
from nasmake.evidence.benchmark_table import MEASURED, SCORES
from nasmake.jobs.job import Job
from nasmake.search_spaces import Decisions
from nasmake.stages.retrain import train_network

TRAINED = "trained.csv"
COLUMNS = ("decisions", *MEASURED)


def tabulate_networks(job: Job) -> None:
    """Train every network of a part of the table from scratch with one seed, and write trained.csv.

    The training is that of the stage `retrain`. The test split is read once per network, after its training. A network
    that was finished before a restart is kept.
    """
    with stage(job, TRAINED) as run:
        write_csv(job.unit / TRAINED, _rows(run), COLUMNS)


def _rows(run: StageRun) -> list[dict[str, Any]]:
    """Train every network of the job, and return one row per network.

    A row is kept in the folder of the training state, so a network that was finished before a restart is not trained
    again.
    """
    rows, space = [], run.space()
    for index, network in enumerate(read_json(run.job.inputs["networks"])["networks"]):
        folder = ResumeFolder(run.folder.path / str(index))
        done = folder.path / "row.json"
        if not done.is_file():
            folder.path.mkdir(exist_ok=True)
            decisions = space.parse(network["decisions"])
            write_json(done, _trained(StageRun(run.job, run.runtime, run.splits, folder), decisions))
        rows.append(read_json(done))
    return rows


def _trained(run: StageRun, decisions: Decisions) -> dict[str, Any]:
    settings, is_resumed, started = run.job.settings, run.folder.checkpoint.is_file(), time.process_time()
    training = train_network(run, run.space().decode(decisions), settings.nas.num_epochs_retrain or 1, with_val=True)
    row: dict[str, Any] = {
        "decisions": " ".join(map(str, decisions)),
        "val_losses": " ".join(f"{epoch['val_loss']:.5f}" for epoch in training.rows),
        "val_accuracies": " ".join(f"{epoch['val_accuracy']:.5f}" for epoch in training.rows),
    }
    if training.network is None:  # it diverged; JSON has no infinity
        return row | dict(zip(SCORES, ("inf", "", "inf", ""), strict=True)) | {"cpu_seconds": ""}
    test = run.splits.evaluation("test", settings.retrain.hyperparameters.batch_size)
    test_loss, test_accuracy = evaluate(training.network, test)
    last = training.rows[-1]
    row |= dict(zip(SCORES, (last["val_loss"], last["val_accuracy"], test_loss, test_accuracy), strict=True))
    # A process that went on from a checkpoint does not know what the process before it took.
    return row | {"cpu_seconds": "" if is_resumed else round(time.process_time() - started, 2)}
