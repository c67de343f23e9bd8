"""The device, the threads and the memory of a job.

Hardware is looked for when a job starts and nowhere earlier, because the host that runs Snakemake may have no GPU.
This module may import core.
"""

import ctypes
import platform
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nasmake.core.errors import InputError
from nasmake.core.process import process_count, rank
from nasmake.core.seeding import derive_seed

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
IS_PRESENT: dict[str, Callable[[], bool]] = {
    "cpu": lambda: True,
    "gpu": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}


@dataclass(frozen=True)
class Runtime:
    """The device of a job.

    Attributes:
        device: for torch.
        accelerator: for Lightning: cpu, gpu or mps.
        name: for the log and the provenance.
    """

    device: torch.device
    accelerator: str
    name: str


def start(accelerator: str, num_threads: int) -> Runtime:
    """Choose the device, fix the number of CPU threads, and print both.

    The number of threads changes the bits of a sum. It comes from the configuration and never from the machine.

    Args:
        accelerator: auto (CUDA, else MPS, else CPU), cpu, gpu or mps.
        num_threads: CPU threads of this process, at least 1.

    Raises:
        InputError: this machine does not have the hardware.
    """
    torch.set_num_threads(num_threads)
    keep_freed_memory()
    torch.backends.cudnn.benchmark = False  # the algorithm that measures fastest differs from run to run
    if accelerator == "auto":
        accelerator = next((name for name in ("gpu", "mps") if IS_PRESENT[name]()), "cpu")
    if not IS_PRESENT[accelerator]():
        raise InputError(
            f"trainer.accelerator is {accelerator}; expected auto or cpu, since torch {torch.__version__} finds no "
            f"{accelerator} on this machine; or choose a profile whose jobs run on a machine that has one"
        )
    device, name = torch.device(accelerator if accelerator != "gpu" else f"cuda:{rank()}"), accelerator.upper()
    if accelerator == "gpu":
        if process_count() > torch.cuda.device_count():
            raise InputError(
                f"environment.gpus is {process_count()}; expected at most {torch.cuda.device_count()}, the number of "
                "GPUs that this job sees"
            )
        name = f"CUDA ({torch.cuda.get_device_name()})"
    elif accelerator == "mps":
        name = "MPS (Apple GPU)"
    plural = "s" if num_threads > 1 else ""
    print(f"device: {name}, {num_threads} CPU thread{plural}, torch {torch.__version__}", flush=True)
    return Runtime(device, accelerator, name)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of giving it back to the kernel; other C libraries stay as they are.

    Every step allocates the same large activations. Mapping and clearing their memory again each time took 4 to 8 % of
    the CPU time of a supernet step (proxyless_cifar10, batch 64, one thread of an AMD EPYC, 4 paths, n = 2). Keeping
    it takes 9 % more memory.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def seed_torch(device: torch.device, *seed_key: int | str) -> None:
    """Seed the generators of torch, from which layers draw on `device` (dropout, drop path), with `seed_key`.

    torch.manual_seed would do the same, but without CUDA it formats a stack trace at every call (0.2 ms).
    """
    seed = derive_seed(*seed_key)
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed % 2**63)
