"""Where a job runs: device, precision, threads. Hardware is looked for here, when a job starts, and nowhere earlier."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from nasmake.core.errors import InputError
from nasmake.core.process import process_count, rank

if TYPE_CHECKING:  # preparing data draws random numbers too, and must not load torch
    import torch
from nasmake.core.seeding import derive_seed


@dataclass(frozen=True)
class Runtime:
    """The device of a job, in torch's form and in Lightning's."""

    device: torch.device
    accelerator: str
    name: str


def start(accelerator: str, num_threads: int) -> Runtime:
    """Choose the device and fix the number of CPU threads.

    The number of threads changes the bits of a sum, so it comes from the configuration and never from the machine.

    Args:
        accelerator: auto (CUDA, else MPS, else CPU), cpu, gpu or mps.
        num_threads: CPU threads of this process.

    Raises:
        InputError: the hardware asked for is not there.
    """
    torch.set_num_threads(num_threads)
    keep_freed_memory()
    torch.backends.cudnn.benchmark = False  # a measured choice of algorithm differs from run to run
    if accelerator == "auto":
        accelerator = next((name for name in ("gpu", "mps") if _PRESENT[name]()), "cpu")
    if not _PRESENT[accelerator]():
        raise InputError(
            f"trainer.accelerator: {accelerator} asked for, but this machine (torch {torch.__version__}) has none; "
            "use auto or cpu, or a profile whose jobs run where one is"
        )
    device = f"cuda:{rank()}" if accelerator == "gpu" else accelerator
    if accelerator == "gpu" and process_count() > torch.cuda.device_count():
        raise InputError(
            f"environment.gpus: {process_count()} asked for, but this job sees {torch.cuda.device_count()} GPUs"
        )
    runtime = Runtime(torch.device(device), accelerator, _name(accelerator))
    print(
        f"device: {runtime.name}, {num_threads} CPU thread{'s'[: num_threads > 1]}, torch {torch.__version__}",
        flush=True,
    )
    return runtime


def keep_freed_memory() -> None:
    """Let glibc keep what is freed instead of giving it back to the kernel; other C libraries are left as they are.

    Every step allocates the same large activations. Mapping and clearing them anew each time was 4 to 8 % of the CPU
    time of a supernet step (proxyless_cifar10, batch 64, one thread of an AMD EPYC, 4 paths, n = 2), for 9 % more
    memory.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _name(accelerator: str) -> str:
    if accelerator == "gpu":
        return f"CUDA ({torch.cuda.get_device_name()})"
    return {"cpu": "CPU", "mps": "MPS (Apple GPU)"}[accelerator]


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_PRESENT: dict[str, Callable[[], bool]] = {
    "cpu": lambda: True,
    "gpu": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}


def seed_torch(device: torch.device, *seed_key: int | str) -> None:
    """Make what layers draw on `device` from here on (dropout, drop path) a function of `seed_key`.

    torch.manual_seed would do, but without CUDA it formats a stack trace at every call (0.2 ms).
    """
    import torch

    seed = derive_seed(*seed_key)
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed % 2**63)
