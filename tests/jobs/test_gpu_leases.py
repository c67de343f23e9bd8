"""Jobs on the same GPUs, without torch. Real processes, because a lock belongs to its process."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from nasmake.core.errors import InputError
from nasmake.core.process import CANDIDATES, JOBS_PER_GPU, VISIBLE
from nasmake.jobs import gpu_leases as leases
from nasmake.jobs.gpu_leases import lease_devices

JOB = """
import os, sys, time
from nasmake.jobs.gpu_leases import lease_devices
print("ready", flush=True)
input()
lease_devices(int(sys.argv[1]), alone="ALONE" in os.environ)
print(os.environ["CUDA_VISIBLE_DEVICES"], time.monotonic(), flush=True)
time.sleep(float(sys.argv[2]))
print(time.monotonic())
"""


def waiting_job(tmp_path, count=1, seconds=0.2, **environment):
    """Start a job that is ready, and leases its GPUs when it gets a line of input."""
    variables = os.environ | {VISIBLE: "0,1,2,3", "TMPDIR": str(tmp_path)} | environment
    command = [sys.executable, "-c", JOB, str(count), str(seconds)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, env=variables, text=True, **pipes)


def begin(*processes):
    """Let all jobs lease their GPUs at the same time."""
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def job(tmp_path, **options):
    (process,) = begin(waiting_job(tmp_path, **options))
    return process


def lines(process):
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    printed = [line for line in output.splitlines() if not line.startswith("waiting: ")]
    devices, start = printed[0].split()
    return devices, float(start), float(printed[1])


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No other process holds a GPU, and this test releases its GPUs at the end."""
    monkeypatch.setattr(leases.tempfile, "gettempdir", lambda: str(tmp_path))
    for name in (VISIBLE, CANDIDATES, *leases.SCHEDULER_JOBS):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    leases._held.close()


def test_fourteen_jobs_on_four_devices_share_none_and_leave_none_idle(tmp_path):
    leases_of_jobs = [lines(process) for process in begin(*[waiting_job(tmp_path) for _ in range(14)])]
    by_device = {}
    for device, start, end in sorted(leases_of_jobs, key=lambda lease: lease[1]):
        by_device.setdefault(device, []).append((start, end))
    assert sorted(by_device) == ["0", "1", "2", "3"]
    for times in by_device.values():
        assert all(before[1] <= after[0] for before, after in pairwise(times))
        assert len(times) >= 2


def test_jobs_share_a_device_after_every_device_has_one(tmp_path):
    two, holders, devices = {VISIBLE: "0,1", JOBS_PER_GPU: "2"}, [], []
    for _ in range(4):
        holders.append(job(tmp_path, seconds=60, **two))
        devices.append(holders[-1].stdout.readline().split()[0])
    assert sorted(devices[:2]) == ["0", "1"] and sorted(devices) == ["0", "0", "1", "1"]
    fifth = job(tmp_path, seconds=0, **two)
    assert fifth.stdout.readline().startswith("waiting: ")
    holders[0].kill()
    assert lines(fifth)[0] == devices[0]
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_job_that_must_be_alone_waits_for_those_that_share(tmp_path):
    sharing = {VISIBLE: "0", JOBS_PER_GPU: "2"}
    holder = job(tmp_path, seconds=60, **sharing)
    assert holder.stdout.readline().startswith("0 ")
    alone = job(tmp_path, seconds=60, ALONE="", **sharing)
    assert alone.stdout.readline() == "waiting: fewer than 1 of the GPUs 0 are free\n"
    holder.kill()
    assert alone.stdout.readline().startswith("0 ")
    next_one = job(tmp_path, seconds=0, **sharing)
    assert next_one.stdout.readline().startswith("waiting: ")
    alone.kill()
    assert lines(next_one)[0] == "0"
    holder.communicate()
    alone.communicate()


def test_several_devices_are_leased_together(tmp_path):
    devices_of_jobs = [lines(process)[0] for process in begin(*[waiting_job(tmp_path, count=2) for _ in range(5)])]
    assert all(len(devices.split(",")) == 2 for devices in devices_of_jobs)


def test_killed_job_frees_its_devices(tmp_path):
    holder = job(tmp_path, count=4, seconds=60)
    assert holder.stdout.readline().startswith("0,1,2,3 ")
    next_one = job(tmp_path, count=4, seconds=0)
    assert next_one.stdout.readline() == "waiting: fewer than 4 of the GPUs 0, 1, 2, 3 are free\n"
    holder.send_signal(signal.SIGKILL)
    assert lines(next_one)[0] == "0,1,2,3"
    holder.communicate()


def test_jobs_of_a_scheduler_do_not_wait_for_each_other(tmp_path):
    holder = job(tmp_path, count=4, seconds=60, SLURM_JOB_ID="1")
    assert holder.stdout.readline().startswith("0,1,2,3 ")
    assert lines(job(tmp_path, count=4, seconds=0, SLURM_JOB_ID="2"))[0] == "0,1,2,3"
    holder.kill()
    holder.communicate()


@pytest.mark.parametrize(
    ("visible", "wanted", "expected"),
    [("4,5,6", None, "4,5"), ("4,5,6", "5,6,9", "5,6"), (None, "2,1", "1,2"), ("GPU-a, GPU-b", None, "GPU-a,GPU-b")],
)
def test_candidates_are_the_shown_and_allowed_gpus(alone, visible, wanted, expected):
    alone.setattr(leases, "gpu_ids", lambda: ["0", "1", "2"])
    for name, value in ((VISIBLE, visible), (CANDIDATES, wanted)):
        if value is not None:
            alone.setenv(name, value)
    lease_devices(2)
    assert os.environ[VISIBLE] == expected


def test_more_gpus_than_candidates_are_an_error(alone):
    alone.setenv(VISIBLE, "0,1")
    with pytest.raises(InputError, match=r"^environment\.gpus is 3; expected 2 or less, .* \(0, 1\)$"):
        lease_devices(3)


def test_without_a_device_nothing_happens(alone):
    alone.setattr(leases, "gpu_ids", list)
    lease_devices(8)
    assert VISIBLE not in os.environ


def test_without_locks_the_first_gpus_are_used_with_a_warning(alone, capsys):
    def refused(*_):
        raise OSError(95, "Operation not supported")

    alone.setenv(VISIBLE, "0,1,2")
    alone.setattr(leases.fcntl, "flock", refused)
    lease_devices(2)
    assert os.environ[VISIBLE] == "0,1"
    assert capsys.readouterr().err.count("warning: ") == 1
