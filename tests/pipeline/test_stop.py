"""Signals to a controller: its jobs get SIGTERM, those that hang are killed, and other processes are left alone."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

CONTROLLER = """
import os, subprocess, sys
from nasmake.pipeline import stop
stop.GRACE, stop.END = float(sys.argv[2]), 0.5
handler = stop.Stop()
handler.is_local = True
handler.take_signals()
job = subprocess.Popen(["bash", "-c", sys.argv[1]])
try:
    job.wait()
except SystemExit:
    job.wait()  # as the executor of Snakemake does
    raise
"""
SAVES = """
import signal, sys, time
from pathlib import Path
def save(number, frame):
    Path("saved").write_text("state")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
Path("at_work").touch()
time.sleep(600)
"""
HANGS = """
import signal, subprocess, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
Path("children").write_text(str(child.pid))
Path("at_work").touch()
time.sleep(600)
"""
JOB = "set -euo pipefail; python scripts/job.py > log 2>&1"
RECEIVED = "nasmake: {} received; the jobs save their training state and stop"
STOPPED = "nasmake: stopped; the same command goes on"


@contextmanager
def controller(folder, script, shell=JOB, grace=60.0, prefix=()):
    (folder / "scripts").mkdir()
    (folder / "scripts/job.py").write_text(script)
    command = [*prefix, sys.executable, "-c", CONTROLLER, shell, str(grace)]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        wait_for(folder / "at_work")
        yield process
        process.kill()


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def scripts_in(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if "scripts/job.py" in process.cmdline()[:3] and Path(process.cwd()) == folder:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_jobs_save_their_state_and_the_controller_ends(tmp_path, number):
    with controller(tmp_path, SAVES) as process:
        process.send_signal(number)
        assert process.wait(50) == 128 + number
        assert process.stderr.read().splitlines() == [RECEIVED.format(number.name), STOPPED]
    assert (tmp_path / "saved").read_text() == "state"
    assert scripts_in(tmp_path) == []


def test_a_job_that_hangs_is_killed_with_its_children(tmp_path):
    with controller(tmp_path, HANGS, grace=1.0) as process:
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert process.wait(50) == 130
        first, *_, last = process.stderr.read().splitlines()  # the shell may say that its command was killed
        assert (first, last) == (RECEIVED.format("SIGINT"), STOPPED)
    assert scripts_in(tmp_path) == []
    child = int((tmp_path / "children").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_controller_that_waits_for_something_else_ends_all_the_same(tmp_path):
    """Other processes, such as the qdel of an executor, get no signal."""
    with controller(tmp_path, "", shell="touch at_work; sleep 6; touch by_itself", grace=1.0) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 143
        assert not (tmp_path / "by_itself").exists()
        wait_for(tmp_path / "by_itself")


def test_under_nohup_the_end_of_the_terminal_stops_nothing(tmp_path):
    ignore = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    with controller(tmp_path, SAVES, prefix=(sys.executable, "-c", ignore)) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 143
        assert process.stderr.read().splitlines() == [RECEIVED.format("SIGTERM"), STOPPED]
