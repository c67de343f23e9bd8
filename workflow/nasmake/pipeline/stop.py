"""Stop the controller and its jobs on SIGINT, SIGTERM and SIGHUP.

Snakemake passes no signal on: after a signal to it alone, it waits for its running jobs, for hours if need be. Here the
jobs on this host get SIGTERM, save their training state and end, and the controller ends within ten seconds. Jobs of a
cluster are the executor's: it deletes them, as after Ctrl-C.
"""

import _thread
import atexit
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NoReturn

import psutil  # type: ignore[import-untyped]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 8.0  # seconds in which the jobs can save their state before they are killed
END = 1.2  # seconds after that in which Snakemake can end by itself


class Stop:
    """The first signal that this controller gets, and what it causes.

    Attributes:
        number: the signal; None before one has come.
        is_local: whether all jobs run on this host, so that nothing is left to do when they have ended.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_local = False
        atexit.register(self._say_stopped)

    def take_signals(self) -> None:
        """Install the signal handler. A signal that is ignored, such as SIGHUP under nohup, stays ignored."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._begin)

    def exit(self) -> NoReturn:
        """End this process as a shell reports a signal.

        Raises:
            SystemExit: always. Snakemake starts no further job after this exception, and no failed one again.
        """
        assert self.number is not None
        raise SystemExit(128 + self.number)

    def _begin(self, number: int, frame: Any) -> None:
        """Handle a signal. The main thread may hold any lock at this point, so nothing here waits for one."""
        if self.number is not None:
            return
        self.number = number
        # Snakemake would report each stopped job as an error with its whole command.
        logging.getLogger("snakemake.logging").addFilter(lambda record: record.levelno < logging.ERROR)
        _say(f"nasmake: {signal.Signals(number).name} received; the jobs save their training state and stop")
        _thread.start_new_thread(self._end_jobs, ())  # not `threading`, which takes a lock to start a thread
        self.exit()

    def _end_jobs(self) -> None:
        """Send SIGTERM to all jobs on this host, also to those that are just being started, and kill what stays."""
        deadline, told = time.monotonic() + GRACE, set()
        while time.monotonic() < deadline:
            for job in _jobs(psutil.Process()):
                if job.pid not in told:
                    told.add(job.pid)
                    _send(job, signal.SIGTERM)
            time.sleep(0.1)
        for job in _jobs(psutil.Process()):
            for process in (*_shell_of(job), *_with_children(job)):
                _send(process, signal.SIGKILL)
        if self.is_local and self.number is not None:
            time.sleep(END)
            self._say_stopped()
            os._exit(128 + self.number)

    def _say_stopped(self) -> None:
        if self.number is not None:
            _say("nasmake: stopped; the same command goes on")


def _jobs(process: psutil.Process) -> Iterator[psutil.Process]:
    """Yield the topmost processes below `process` that run a script of this project.

    The shells between are not sent a signal: a shell would end at once, and its job would seem to have ended.
    """
    with suppress(psutil.Error):  # it has ended in the meantime
        for child in process.children():
            if any(word.startswith("scripts/") for word in _words(child)[:3]):
                yield child
            else:
                yield from _jobs(child)


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _shell_of(job: psutil.Process) -> list[psutil.Process]:
    """Return the shell that started a job. It would print the whole command of a job that is killed."""
    try:
        shell = job.parent()
        return [shell] if shell is not None and shell.name() in ("bash", "sh", "dash") else []
    except psutil.Error:
        return []


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def _say(line: str) -> None:
    """Print a line. `print` could not be called while the main thread is printing, and the terminal may be gone."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())
