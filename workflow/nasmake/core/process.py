"""What a process of a job learns from its environment: its rank, and the names of the variables."""

import os

RANK = "NASMAKE_RANK"
PROCESSES = "NASMAKE_PROCESSES"
STORE = "NASMAKE_STORE"


def is_rank() -> bool:
    """Whether this process was started by `launch`."""
    return RANK in os.environ


def rank() -> int:
    """Which of the processes of this job this is; 0 is the one that takes locks and writes."""
    return int(os.environ.get(RANK, "0"))


def process_count() -> int:
    """How many processes this job has."""
    return int(os.environ.get(PROCESSES, "1"))


LOADER_WORKERS = "NASMAKE_NUM_WORKERS"  # environment.num_workers, as jobs are told it


def loader_workers() -> int:
    """Loader processes that a job may start."""
    return int(os.environ.get(LOADER_WORKERS, "0"))


VISIBLE = "CUDA_VISIBLE_DEVICES"
CANDIDATES = "NASMAKE_DEVICE_IDS"
GPUS_OF_A_JOB = "NASMAKE_GPUS"  # profiles/abci chooses queues by it
PAYS = "ABCI_GROUP"  # environment variable; --pbs-project sets it
