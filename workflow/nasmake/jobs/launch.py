"""Run a job in several processes: the script starts itself once per process, and ends when they end.

A process learns its rank from environment variables. The processes find each other through a file, so no port of the
host is used. This module loads no torch. It imports core.

torch.distributed.run was tried instead. After kill -9 of its agent the workers went on. It would also load torch before
the job has its GPUs.
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

from nasmake.core.process import PROCESSES, RANK, STORE, is_rank

GRACE = 20.0  # seconds in which the other processes can end after the first one


def launch(processes: int) -> None:
    """Run this script in several processes, and exit with their exit code.

    The function returns at once in each of these processes, and if one process is enough.

    Args:
        processes: number of processes.

    Raises:
        SystemExit: always in the process that launches the others.
    """
    if is_rank():
        threading.Thread(target=_end_with_launcher, daemon=True).start()
    elif processes > 1:
        with tempfile.TemporaryDirectory(prefix="nasmake-") as folder:
            command = [sys.executable, *sys.orig_argv[1:]]
            raise SystemExit(_run(command, environments(processes, Path(folder, "store"))))


def environments(processes: int, store: Path) -> list[dict[str, str]]:
    """Return the variables that each process gets beside its environment, by rank. `store` is the file they meet at."""
    return [{RANK: str(number), PROCESSES: str(processes), STORE: str(store)} for number in range(processes)]


def _run(command: Sequence[str], variables: Sequence[Mapping[str, str]]) -> int:
    """Run the command once for each set of environment variables, and return the exit code of the job.

    The code is 0 as soon as rank 0 has ended well, because rank 0 alone writes artefacts. Otherwise it is the code of
    the first process that fails. The others get SIGTERM, and SIGKILL after GRACE seconds.
    """
    ranks: list[subprocess.Popen[bytes]] = []

    def send(number: int) -> None:
        for process in ranks:
            process.send_signal(number)  # does nothing if the process has ended

    try:
        for number, environment in enumerate(variables):
            # The pipe closes when the launcher dies. In a new session, Ctrl-C reaches the process through `send` only.
            ranks.append(
                subprocess.Popen(
                    command,
                    env=os.environ | environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL if number else None,  # all ranks print the same lines
                    start_new_session=True,
                )
            )
        for forwarded in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(forwarded, lambda received, frame: send(received))
        while (code := _exit_code([process.poll() for process in ranks])) is None:
            time.sleep(0.05)
        send(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(process.poll() is None for process in ranks):
            time.sleep(0.05)
        return code
    finally:
        send(signal.SIGKILL)


def _exit_code(codes: Sequence[int | None]) -> int | None:
    """Return the exit code of the job; None while it runs. A process killed by signal n counts as exit code 128 + n."""
    if codes[0] == 0:
        return 0
    return next((code if code > 0 else 128 - code for code in codes if code), None)


def _end_with_launcher() -> None:
    os.read(0, 1)  # returns when the launcher has ended, because the launcher never writes to this pipe
    os.kill(os.getpid(), signal.SIGTERM)
