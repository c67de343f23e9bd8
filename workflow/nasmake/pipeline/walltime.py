"""The walltime that a job on a cluster requests: short at first, and longer with each attempt.

A cluster may charge for the requested walltime. A job resumes its training in the next attempt, so a request that was
too short loses no work. The Snakefile imports this module, so it imports the standard library and config only.
"""

import math
import re
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from nasmake.config import Config

DEFAULT = 120  # minutes, for training and search of which nothing has been measured
DEFAULT_WITHOUT_EPOCHS = 60  # minutes, for other jobs
LONGEST = 168 * 60  # minutes; ABCI accepts no more
MARGIN = 1.5  # another trial can have slower epochs than those that were measured
START = 10  # minutes for the start of a job
MEMORY = 60.0  # seconds for which measured times are kept, because a plan asks for the walltime of each job
EPOCHS = {
    "train_supernet": "nas.num_epochs_supernet_train",
    "search_supernet": "nas.num_epochs_supernet_train",
    "search_architecture": "nas.num_epochs_architecture_search",
    "retrain": "nas.num_epochs_retrain",
    "retrain_final": "final.num_epochs",  # if this is null, nas.num_epochs_retrain
}
EPOCH_LINE = re.compile(r"^epoch +(\d+)(?:/\d+)?  .* (\d+\.\d) s$", re.MULTILINE)  # nasmake.engine.epoch_log.format_row


def walltime(stage: str, config: Config) -> Callable[[Any, int], int]:
    """Return Snakemake's resource function for the walltime of a stage, in minutes.

    The first attempt requests environment.first_walltime. If that is null, it requests what the epochs of the stage
    took in this run, and DEFAULT if none has been measured. The second attempt requests twice as much, and so on.
    """
    kept = {"at": -math.inf, "minutes": 0.0}

    def minutes(wildcards: Any, attempt: int) -> int:
        if time.monotonic() - kept["at"] > MEMORY:
            kept.update(at=time.monotonic(), minutes=first_minutes(stage, config))
        return min(LONGEST, math.ceil(kept["minutes"] * attempt))

    return minutes


def first_minutes(stage: str, config: Config) -> float:
    """Return the walltime of the first attempt of a stage, in minutes."""
    epochs = epochs_of(stage, config)
    if epochs is None:
        return DEFAULT_WITHOUT_EPOCHS
    if config.environment.first_walltime is not None:
        return config.environment.first_walltime
    seconds = seconds_per_epoch(config.run_folder, stage)
    if seconds is None:
        return DEFAULT
    return START + MARGIN * seconds * epochs / 60


def epochs_of(stage: str, config: Config) -> int | None:
    """Return the number of epochs of a stage; None if it has no epochs."""
    return attrgetter(EPOCHS[stage])(config) or config.nas.num_epochs_retrain if stage in EPOCHS else None


def seconds_per_epoch(run: Path, stage: str) -> float | None:
    """Return how long an epoch of a stage took in the slowest unit of a run; None without a finished epoch.

    A search repeats its epochs with random candidates, and the final stage trains a baseline. Their times count in
    the epoch of the same number.

    Args:
        run: folder of the run. The logs of its units have a line for each epoch, also after a job that was cut off.
        stage: name of the stage.
    """
    found = [EPOCH_LINE.findall(path.read_text(errors="replace")) for path in run.glob(f"*/logs/{stage}.log")]
    means = [
        sum(float(seconds) for _, seconds in lines) / max(int(epoch) for epoch, _ in lines) for lines in found if lines
    ]
    return max(means, default=None)
