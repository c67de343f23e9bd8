"""The device, the threads and the memory of a job.

Hardware is looked for when a job starts and nowhere earlier, because the host that runs Snakemake may have no GPU.
This module may import core and models.
"""

import ctypes
import platform
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nasmake.core.errors import InputError
from nasmake.core.process import process_count, rank
from nasmake.core.seeding import derive_seed
from nasmake.engine.self_check import check_gradients
from nasmake.models.layers import Model, channels_last

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
        memory_format: of images and filters, [N, C, H, W] each.
    """

    device: torch.device
    accelerator: str
    name: str
    memory_format: torch.memory_format = torch.channels_last

    def lay_out(self, model: Model) -> Model:
        """Return a new model whose filters have the memory format."""
        return channels_last(model) if self.memory_format == torch.channels_last else model


def start(accelerator: str, num_threads: int, precision: str = "32-true") -> Runtime:
    """Choose the device, fix the number of CPU threads, and print both.

    The number of threads changes the bits of a sum. It comes from the configuration and never from the machine. A GPU
    must first pass the check of `self_check`.

    Args:
        accelerator: auto (CUDA, else MPS, else CPU), cpu, gpu or mps.
        num_threads: CPU threads of this process, at least 1.
        precision: trainer.precision.

    Raises:
        InputError: this machine does not have the hardware, or its gradients are wrong.
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
    runtime = Runtime(device, accelerator, name, memory_format(accelerator, precision))
    if accelerator != "cpu":
        check_gradients(device, runtime.memory_format, name)
    return runtime


def memory_format(accelerator: str, precision: str) -> torch.memory_format:
    """Return the memory format of images and filters: channels_last where it is the fast one.

    It is on CPUs, and on CUDA's tensor cores, which need a reduced precision. On MPS, torch's batch normalisation has
    returned wrong gradients for channels_last images.

    Args:
        accelerator: cpu, gpu or mps.
        precision: trainer.precision.
    """
    is_fast = accelerator == "cpu" or (accelerator == "gpu" and precision != "32-true")
    return torch.channels_last if is_fast else torch.contiguous_format


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
