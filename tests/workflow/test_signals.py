"""Signals to the controller alone, and kills while it starts: it ends soon, and the same command goes on."""

import os
import signal
import time

import pytest
from studies import artefacts
from test_resume import RUN, equal_supernet, jobs_of, prepare, results, wait_for

pytestmark = pytest.mark.slow

LIMIT = 40  # seconds; it takes ten at most on a machine that does nothing else
LONGER = {"nas": {"num_epochs_supernet_train": 60}}
UNTIL = ("--until", "train_supernet")


def epochs(checkout):
    """Count the epochs of supernet training in its log. A resumed job repeats the lines of those before it."""
    log = results(checkout) / "shared/logs/train_supernet.log"
    return sum(line.startswith("epoch ") for line in read(log).splitlines())


def test_signals_to_the_controller_alone_then_the_same_command(tmp_path):
    checkout, reference = (prepare(tmp_path / name, LONGER) for name in ("stopped", "reference"))
    reached = 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with (tmp_path / number.name).open("w") as printed:
            process = checkout.start(*RUN, *UNTIL, output=printed)
        wait_for(lambda reached=reached: epochs(checkout) > reached, process)
        began = time.monotonic()
        os.kill(process.pid, number)
        assert process.wait(timeout=LIMIT) == 128 + number
        print(f"{number.name}: ended after {time.monotonic() - began:.1f} s")
        assert jobs_of(checkout) == []
        reached = epochs(checkout)
        lines = (tmp_path / number.name).read_text().splitlines()
        assert lines[-1] == "nasmake: stopped; the same command goes on"
        after = lines[lines.index(f"nasmake: {number.name} received; the jobs save their training state and stop") :]
        noise = [line for line in after if "Error" in line or "restart" in line or "scripts/" in line]
        assert [line for line in noise if "Killed" not in line] == []  # of a job that is too slow to save
    assert 3 <= reached < 60
    for each in (checkout, reference):
        each.run(*RUN, *UNTIL)
    assert equal_supernet(checkout, artefacts(results(reference)))


def test_killed_at_any_moment_of_the_start(tmp_path):
    """From the lock of nasmake over that of Snakemake to the first jobs: the next run needs no --unlock."""
    checkout = prepare(tmp_path)
    folder = checkout.folder / ".snakemake"
    has_left_locks = []
    for seconds in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0):
        process = checkout.start(*RUN, "--until", "suggest")
        wait_for(lambda pid=process.pid: f'"pid": {pid},' in read(folder / "controller"), process)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
        has_left_locks.append(any(folder.glob("locks/*.lock")))
    assert set(has_left_locks) == {False, True}
    checkout.run(*RUN, "--until", "suggest")


def read(path):
    return path.read_text() if path.exists() else ""
