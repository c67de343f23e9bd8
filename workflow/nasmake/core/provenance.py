"""The provenance block of an artefact: versions, machine and times, which may differ between equal runs."""

import platform
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROVENANCE = "provenance"  # the one block of an artefact that may differ between two runs of the same study
RECORDED_PACKAGES = ("nasmake", "torch", "lightning", "optuna", "snakemake", "numpy")


def provenance(started: float, **more: Any) -> dict[str, Any]:
    """What may differ between two runs of one study: versions, machine, times.

    Args:
        started: `time.time()` when the stage began.
        more: further facts, such as the device.
    """
    return {
        "versions": {name: _version(name) for name in RECORDED_PACKAGES},
        "revision": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        **more,
    }


def without_provenance(artefact: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an artefact that is the same in every run of the same study."""
    return {key: value for key, value in artefact.items() if key != PROVENANCE}


def _revision() -> str | None:
    """The commit of the checkout that this file lies in, marked if the files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return None
    return asked.stdout.strip() or None


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # 30 ms that only writing a provenance is worth

    try:
        return version(package)
    except PackageNotFoundError:
        return None
