"""A job in several processes, without torch."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from nasmake.core.process import PROCESSES, RANK, STORE, process_count, rank
from nasmake.jobs.launch import environments

SCRIPT = """
import os, signal, sys, time
from nasmake.core.process import process_count, rank
from nasmake.jobs.launch import launch
launch(int(sys.argv[1]))
print("rank", rank(), "of", process_count(), flush=True)
{does}
"""


def start(tmp_path, does, processes=2):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(does=does))
    argv = [sys.executable, str(script), str(processes)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_of(tmp_path, does, processes=2):
    process = start(tmp_path, does, processes)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


def test_every_process_learns_its_rank(tmp_path):
    assert environments(2, tmp_path / "store") == [
        {RANK: str(number), PROCESSES: "2", STORE: str(tmp_path / "store")} for number in (0, 1)
    ]
    assert (rank(), process_count()) == (0, 1)  # without these variables


@pytest.mark.parametrize("processes", [1, 2])
def test_rank_0_alone_prints(tmp_path, processes):
    assert end_of(tmp_path, "", processes) == (0, f"rank 0 of {processes}\n", "")


@pytest.mark.parametrize(
    ("does", "code"),
    [
        ("sys.exit(3) if rank() == 1 else time.sleep(60)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL) if rank() == 1 else time.sleep(60)", 137),
        ("sys.exit(4) if rank() == 0 else time.sleep(60)", 4),
        ("sys.exit(0) if rank() == 0 else time.sleep(60)", 0),  # another job had finished the stage
    ],
)
def test_end_of_one_process_ends_all(tmp_path, does, code):
    began = time.monotonic()
    assert end_of(tmp_path, does)[0] == code
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138), (signal.SIGKILL, -9)])
def test_signal_reaches_all_ranks_and_none_outlives_the_launcher(tmp_path, number, code):
    process = start(tmp_path, "time.sleep(60)")
    assert process.stdout.readline() == "rank 0 of 2\n"
    deadline = time.monotonic() + 30
    while len(ranks := psutil.Process(process.pid).children()) < 2:  # rank 0 may print before rank 1 is started
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert psutil.wait_procs(ranks, timeout=10)[1] == []
