"""The provenance block of an artefact: versions, machine and times.

This block is the only part of an artefact that may differ between two runs of the same study.
"""

import platform
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROVENANCE = "provenance"
RECORDED_PACKAGES = ("nasmake", "torch", "lightning", "optuna", "snakemake", "numpy")


def provenance(started: float, **facts: Any) -> dict[str, Any]:
    """Return the provenance block of an artefact that is written now.

    Args:
        started: `time.time()` when the stage began, in seconds.
        facts: further entries, such as the device.
    """
    return {
        "versions": {name: _version(name) for name in RECORDED_PACKAGES},
        "revision": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        **facts,
    }


def without_provenance(artefact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an artefact that is equal in all runs of the same study."""
    return {key: value for key, value in artefact.items() if key != PROVENANCE}


def _revision() -> str | None:
    """Return the Git commit of this checkout, with the suffix "-dirty" if a file differs; None outside of Git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # Git is not installed
        return None
    return completed.stdout.strip() or None


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # takes 30 ms, which readers of artefacts save

    try:
        return version(package)
    except PackageNotFoundError:
        return None
