"""The clock of this machine, compared with the times of files.

Snakemake compares the time of an output with the times of its inputs after a job has ended. It deletes an output that
is older, even one that took a day.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from nasmake.core.errors import InputError

SKEW = 60.0  # seconds by which the clocks of machines that share a file system may differ


def wait_for_clock(inputs: Iterable[Path]) -> None:
    """Wait until the clock has passed the times of all input files, so that no output can come out older.

    Raises:
        InputError: a file's time lies too far in the future to wait for it.
    """
    newest = max(inputs, key=_time_of, default=None)
    if newest is None:
        return
    ahead = _time_of(newest) - time.time()
    if ahead > SKEW:
        raise InputError(
            f"{newest}: time is {_shown(_time_of(newest))}; expected a time before now, and the clock of this machine "
            f"says {_shown(time.time())}; set the clock right, or type: touch {newest}"
        )
    if ahead > 0:
        print(f"waiting {ahead:.0f} s: the clock of this machine is behind the time of {newest}", flush=True)
        time.sleep(ahead)


def _time_of(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0  # whoever reads a missing file reports it


def _shown(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
