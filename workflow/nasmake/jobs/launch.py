"""Several processes for one job: the script starts itself again, once for each, and ends with them.

No torch here. A rank is told what it is by environment variables; it finds the others through a file, so no port can
be taken by somebody else.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.process import PROCESSES, RANK, STORE, is_rank

GRACE = 20.0  # seconds that the others have to end when one has
Started = subprocess.Popen[bytes]


def launch(processes: int) -> None:
    """Run this script in so many processes and end as they do; return at once in one of them, or if one is enough.

    Raises:
        SystemExit: always in the process that launches.
    """
    if is_rank():
        threading.Thread(target=_end_with_launcher, daemon=True).start()
    elif processes > 1:
        with tempfile.TemporaryDirectory(prefix="nasmake-") as folder:
            command = [sys.executable, *sys.orig_argv[1:]]  # what was typed, once more
            raise SystemExit(_run(command, environments(processes, Path(folder, "store"))))


def environments(processes: int, store: Path) -> list[dict[str, str]]:
    """What each rank is told."""
    return [{RANK: str(number), PROCESSES: str(processes), STORE: str(store)} for number in range(processes)]


def _run(command: Sequence[str], observed: Sequence[Mapping[str, str]]) -> int:
    """0 once rank 0, which alone writes, has ended well; else the exit code of the first that fails."""
    ranks: list[Started] = []

    def forward(number: int, frame: Any) -> None:
        _send(ranks, number)

    try:
        ranks += [_start(command, own) for own in observed]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, forward)
        while (code := _outcome(ranks)) is None:
            time.sleep(0.05)
        _end(ranks)
        return code
    finally:
        _send(ranks, signal.SIGKILL)


def _start(command: Sequence[str], observed: Mapping[str, str]) -> Started:
    """In a session of its own, so that Ctrl-C comes once; its standard input closes when this process is gone."""
    output = None if observed[RANK] == "0" else subprocess.DEVNULL  # they would all say the same
    environment = os.environ | observed
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=output, start_new_session=True)


def _outcome(ranks: Sequence[Started]) -> int | None:
    codes = [own.poll() for own in ranks]
    if codes[0] == 0:
        return 0
    return next((code if code > 0 else 128 - code for code in codes if code), None)


def _end(ranks: Sequence[Started]) -> None:
    """Let the others end: they are ending too, or wait for one that is gone."""
    _send(ranks, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(own.poll() is None for own in ranks):
        time.sleep(0.05)


def _send(ranks: Sequence[Started], number: int) -> None:
    for own in ranks:
        own.send_signal(number)  # nothing happens if it has ended


def _end_with_launcher() -> None:
    os.read(0, 1)  # until the end of the file: nothing is ever written
    os.kill(os.getpid(), signal.SIGTERM)
