"""Kept results of finished stages, which the controller removes as soon as it has noted the end of their jobs."""

import shutil
from pathlib import Path


def kept_folders(run: Path) -> list[Path]:
    """Return the folders of training states in which only the outputs of a finished stage are left.

    The units of a study lie in the folder of the run, and those of `evidence` one level below.
    """
    found = [path for unit in ("*", "*/*") for path in run.glob(f"{unit}/.resume/*/finished/checksums.json")]
    return [path.parents[1] for path in found]


def forget_finished(run: Path) -> None:
    """Remove what finished stages kept (nasmake.engine.resume), so that --forcerun computes them again.

    A stage that another process is at work on has a lock file beside its folder, and stays.
    """
    for folder in kept_folders(run):
        if not folder.with_suffix(".lock").exists():
            shutil.rmtree(folder, ignore_errors=True)
