"""What the machine seems to have, seen without torch: for the line at the start and for the local profile.

A job looks for itself, with torch, when it starts; nothing is decided here.
"""

import platform
import subprocess
from pathlib import Path


def gpu_ids() -> list[str]:
    """Numbers of the NVIDIA devices of this machine as CUDA counts them: those that a container shows, from 0."""
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def gpu_count() -> int:
    """GPUs of this machine: 1 on a Mac with Apple silicon, else the NVIDIA devices."""
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return 1
    return len(gpu_ids())


def processor() -> str:
    """Name of this machine's CPU, such as `Apple M3`; its architecture, if the system tells no name."""
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.machine()
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def describe_device(accelerator: str) -> str:
    """One phrase for the device that jobs on this machine will take."""
    if accelerator != "auto":
        return f"{accelerator} (trainer.accelerator)"
    if not gpu_count():
        return "CPU (no GPU found on this machine; a cluster's nodes may have one)"
    return "MPS (Apple GPU)" if platform.system() == "Darwin" else f"CUDA ({gpu_count()} GPUs)"
