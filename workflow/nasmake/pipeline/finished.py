"""Kept results of finished stages, which the controller removes as soon as it has noted the end of their jobs."""

import shutil
from pathlib import Path


def forget_finished(run: Path) -> None:
    """Remove what finished stages kept (nasmake.engine.resume), so that --forcerun computes them again.

    A stage that another process is at work on has a lock file beside its folder, and stays.
    """
    for checksums in run.glob("*/.resume/*/finished/checksums.json"):
        folder = checksums.parents[1]
        if not folder.with_suffix(".lock").exists():
            shutil.rmtree(folder, ignore_errors=True)
