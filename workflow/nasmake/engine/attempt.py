"""One attempt of a stage: what happens to the exceptions that it raises.

Snakemake tries a stage RETRIES + 1 times. An exception of the last attempt becomes a result with the state FAIL, so
that one trial does not stop its study. An error that the user can correct and a failure of the machine stay failures
of the job. This module may import core and jobs.
"""

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from nasmake.core.errors import InputError
from nasmake.core.nested import value_at
from nasmake.core.process import rank
from nasmake.core.records import SHARED
from nasmake.jobs.cli import AlreadyDoneError
from nasmake.jobs.failed import write_failed
from nasmake.jobs.job import Job

BATCH_SIZES = {
    "train_supernet": "supernet.batch_size",
    "search_supernet": "supernet.batch_size",
    "search_architecture": "search.batch_size",
    "retrain": "retrain.hyperparameters.batch_size",
    "retrain_final": "retrain.hyperparameters.batch_size",
}
MACHINE = (OSError, MemoryError, ImportError, torch.distributed.DistError, torch.AcceleratorError)
# Failures of the machine for which torch has no class: a rank or a worker died, or a full disk.
MACHINE_TEXTS = ("gloo", "NCCL", "DataLoader worker", "PytorchStreamWriter failed", "No space left on device")
# torch.OutOfMemoryError stands for CUDA only.
MEMORY_TEXTS = ("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory")
LONGEST = 200  # characters of an exception's text in a reason
PATIENCE = 20.0  # seconds in which rank 0 can write the result, before another rank ends with its own exception


def run_stage(stage: Callable[[Job], None], job: Job) -> None:
    """Run a stage. An exception of its last attempt becomes a result with the state FAIL.

    Args:
        stage: runs the stage and writes its artefacts.
        job: what to run; a job outside of a study, such as those of `make evidence`, has no state FAIL.

    Raises:
        InputError: the user can correct the cause; memory that is used up is such a cause.
        Exception: the machine failed, or Snakemake tries the stage once more.
    """
    try:
        stage(job)
    except (InputError, AlreadyDoneError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise InputError(memory_advice(job, error)) from None
        is_of_study = job.trial is not None or job.unit.name == SHARED
        if not job.is_last_attempt or not is_of_study or is_of_machine(error):
            raise
        traceback.print_exc()
        if rank() > 0:
            _wait_for_rank_0()
            raise
        write_failed(job.stage, job.unit, reason_of(job, error), job.provenance(None))
        print(f"{job.stage} failed in its last attempt; its result has the state FAIL", flush=True)


def is_out_of_memory(error: Exception) -> bool:
    """Return True if the memory of the host or of the GPU is used up."""
    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError) or any(text in str(cause) for text in MEMORY_TEXTS)
        for cause in _causes(error)
    )


def is_of_machine(error: Exception) -> bool:
    """Return True if the machine failed, so that the same job can succeed later: a disk, a GPU, or a lost process."""
    return any(
        isinstance(cause, MACHINE) or any(text in str(cause) for text in MACHINE_TEXTS) for cause in _causes(error)
    )


def memory_advice(job: Job, error: Exception) -> str:
    """Return the text of an error about memory that is used up: what to change."""
    key, detail = BATCH_SIZES.get(job.stage, "latency.batch_size"), " ".join(str(error).split())[:LONGEST]
    return (
        f"{job.unit}: {job.stage}: out of memory: {key} is {value_at(job.received, key, None)}; expected a batch that "
        "fits into the memory; lower it, run fewer jobs at once (--cores, --jobs), lower trainer.num_threads, or "
        f"raise mem_mb (--set-resources {job.stage}:mem_mb=16000); {type(error).__name__}: {detail}"
    )


def reason_of(job: Job, error: Exception) -> str:
    """Return the reason of a failed stage: the exception, the line that raised it, and the log with the traceback."""
    text = " ".join(str(error).split())[:LONGEST]
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name} line {frames[-1].lineno}"
    log = job.unit / "logs" / f"{job.stage}.log"
    return f"{job.stage}: {type(error).__name__}: {text} ({place}); log: {log}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _wait_for_rank_0() -> None:
    """Give rank 0 the time to write the result. The launcher ends this process as soon as rank 0 has ended."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # training had a handler that only notes the signal
    time.sleep(PATIENCE)
