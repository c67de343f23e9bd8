"""Environment variables that a job and its processes inherit, and their values.

Snakemake's controller and `jobs.launch` set them. They are no settings: another value never reruns a job.
"""

import os

RANK = "NASMAKE_RANK"  # number of this process within its job, from 0
PROCESSES = "NASMAKE_PROCESSES"  # number of processes of this job
STORE = "NASMAKE_STORE"  # file through which the processes of a job find each other
LOADER_WORKERS = "NASMAKE_NUM_WORKERS"  # environment.num_workers
SECONDS_BETWEEN_SAVES = "NASMAKE_SECONDS_BETWEEN_SAVES"  # environment.seconds_between_saves
VISIBLE = "CUDA_VISIBLE_DEVICES"  # numbers of the GPUs that CUDA shows to this process
CANDIDATES = "NASMAKE_DEVICE_IDS"  # environment.device_ids: numbers of the GPUs that jobs may use
JOBS_PER_GPU = "NASMAKE_JOBS_PER_GPU"  # environment.jobs_per_gpu
GPUS_OF_A_JOB = "NASMAKE_GPUS"  # environment.gpus; profiles/abci chooses the queue by this number
DATASET_URL = "NASMAKE_URL_OF_{}"  # dataset.url, for the data set of this name: it may have secrets, so no log shows it
PAYS = "ABCI_GROUP"  # the group that pays for jobs on ABCI; profiles/abci passes it to the executor


def is_rank() -> bool:
    """Return whether `jobs.launch` started this process as one of several of a job."""
    return RANK in os.environ


def rank() -> int:
    """Return the number of this process within its job, from 0. Only rank 0 takes locks and writes files."""
    return int(os.environ.get(RANK, "0"))


def process_count() -> int:
    """Return the number of processes of this job."""
    return int(os.environ.get(PROCESSES, "1"))


def loader_workers() -> int:
    """Return how many processes this job may start to load images; 0 means that the job loads them itself."""
    return int(os.environ.get(LOADER_WORKERS, "0"))


def seconds_between_saves() -> float:
    """Return the seconds after a save within which the end of an epoch saves no training state."""
    return float(os.environ.get(SECONDS_BETWEEN_SAVES, "20"))


def jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU of this host."""
    return int(os.environ.get(JOBS_PER_GPU, "1"))


def dataset_url(name: str) -> str | None:
    """Return dataset.url for a data set; None for the URL of its authors."""
    return os.environ.get(DATASET_URL.format(name))
