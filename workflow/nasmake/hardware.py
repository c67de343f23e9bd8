"""What the machine seems to have, seen without torch: for the line at the start and for the local profile.

A job looks for itself, with torch, when it starts; nothing is decided here.
"""

import platform
from pathlib import Path


def gpu_count() -> int:
    """GPUs of this machine: 1 on a Mac with Apple silicon, else the NVIDIA devices."""
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return 1
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def describe(accelerator: str) -> str:
    """One phrase for the device that jobs on this machine will take."""
    if accelerator != "auto":
        return f"{accelerator} (trainer.accelerator)"
    if not gpu_count():
        return "CPU (no GPU found on this machine; a cluster's nodes may have one)"
    return "MPS (Apple GPU)" if platform.system() == "Darwin" else f"CUDA ({gpu_count()} GPUs)"
