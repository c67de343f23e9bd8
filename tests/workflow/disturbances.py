"""Disturbances of a study on this host: signals, stopped processes, and writes that fail."""

import os
import random
import resource
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

STAGES = (
    *("download_dataset", "suggest", "train_supernet", "search_architecture", "retrain", "promote"),
    *("retrain_final", "summarize_study", "export_best", "report"),
)
TARGETS = ("controller", "job", "group")
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
PAUSE, FULL = "stop and cont", "full disk"
KINDS = [(target, action) for action in (*SIGNALS, PAUSE, FULL) for target in TARGETS]


@dataclass(frozen=True)
class Disturbance:
    """What happens to whom, and when.

    Attributes:
        target: `controller`, `job`, or `group`, which is the controller and all of its jobs.
        action: a key of SIGNALS, PAUSE, or FULL, after which no file can grow beyond `limit` bytes.
        moment: share of the usual duration of the job after which it happens.
        pause: seconds of PAUSE.
        limit: bytes of FULL.
    """

    target: str
    action: str
    moment: float
    pause: float
    limit: int

    @property
    def ends_start(self):
        """Whether the controller is expected to end, or may fail at any later moment."""
        return self.target != "job" and self.action != PAUSE

    def happen(self, controller, job):
        """Disturb; the processes may have ended."""
        processes = {"controller": [controller], "job": [job], "group": [controller, *_descendants(controller)]}
        with suppress(ProcessLookupError):
            if self.action == PAUSE:
                _signal(processes[self.target], signal.SIGSTOP)
                time.sleep(self.pause)
                _signal(processes[self.target], signal.SIGCONT)
            elif self.action == FULL:
                for process in processes[self.target]:
                    _limit(process, self.limit)
            elif self.target == "group":
                os.killpg(controller, SIGNALS[self.action])
            else:
                os.kill(processes[self.target][0], SIGNALS[self.action])


def draw(seed, number):
    """Return the disturbance with this number. Of each len(KINDS) disturbances in a row, each has another kind."""
    order = random.Random(f"{seed}/{number // len(KINDS)}").sample(KINDS, len(KINDS))
    generator = random.Random(f"{seed}/{number // len(KINDS)}/{number}")
    return Disturbance(
        *order[number % len(KINDS)],
        moment=generator.uniform(0.0, 1.1),
        pause=generator.uniform(0.3, 2.0),
        limit=generator.choice([0, 1_000, 30_000, 300_000]),
    )


def running_jobs(folder):
    """Return the stage of each process that runs a script of the study in this checkout, by process id."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")[:2]
            stages = [Path(word.decode()).stem for word in words if word.startswith(b"scripts/")]
            if stages and (place / "cwd").resolve() == folder:
                found[int(place.name)] = stages[0]
        except OSError:
            continue
    return found


def _descendants(process):
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(process).children(recursive=True)]
    return []


def _signal(processes, number):
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _limit(process, limit):
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, hard))
