"""Properties of this machine that can be read without torch.

The workflow prints them before any job starts. A job chooses its device itself, with torch, in `engine.device`.
"""

import platform
import subprocess
from pathlib import Path

from nasmake.core.errors import InputError


def gpu_ids() -> list[str]:
    """Return the numbers of the NVIDIA GPUs in the order of CUDA: "0", "1", ... In a container, only its GPUs count."""
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def gpu_count() -> int:
    """Return the number of GPUs of this machine: 1 on a Mac with Apple silicon, else the number of NVIDIA GPUs."""
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return 1
    return len(gpu_ids())


def processor() -> str:
    """Return the name of the CPU, such as `Apple M3`, or its architecture if the system does not know the name."""
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        return completed.stdout.strip() or platform.machine()
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def check_device(accelerator: str) -> None:
    """Refuse a device that this machine certainly lacks, for jobs that run on this machine.

    Args:
        accelerator: the value of trainer.accelerator.

    Raises:
        InputError: one line with the value and what is expected.
    """
    is_apple = (platform.system(), platform.machine()) == ("Darwin", "arm64")
    others = any(map(Path.exists, (Path("/dev/kfd"), Path("/dev/dxg"))))  # GPUs of AMD, and those of Windows under WSL
    if (accelerator == "mps" and not is_apple) or (accelerator == "gpu" and not (gpu_ids() or others)):
        raise InputError(
            f"trainer.accelerator is {accelerator}; expected auto or cpu, since this machine has no such device; or "
            "choose a profile whose jobs run on a machine that has one"
        )


def describe_device(accelerator: str) -> str:
    """Return a phrase for the device that jobs on this machine will use.

    Args:
        accelerator: the value of trainer.accelerator.
    """
    if accelerator != "auto":
        return f"{accelerator} (trainer.accelerator)"
    if not gpu_count():
        return "CPU (no GPU found on this machine; a cluster's nodes may have one)"
    return "MPS (Apple GPU)" if platform.system() == "Darwin" else f"CUDA ({gpu_count()} GPUs)"
