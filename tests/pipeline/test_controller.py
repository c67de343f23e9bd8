"""The lock of the Snakemake folder: locks of a dead controller are cleared, those of a living one stay."""

import fcntl
import os
import socket
import subprocess
import sys

import pytest

LOOKER = """
import sys
from pathlib import Path
from nasmake.pipeline.controller import clear_stale_lock, hold_lock
clear_stale_lock(Path(sys.argv[1]))
"""
HOLDER = LOOKER + "hold_lock(Path(sys.argv[1]))\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    return tmp_path


def lock_files(folder):
    for name in ("0.input.lock", "0.output.lock"):
        (folder / "locks" / name).touch()


def control(folder, code, returncode=0):
    done = subprocess.run([sys.executable, "-c", code, str(folder)], timeout=60)
    assert done.returncode == returncode


def locked(folder):
    return sorted(path.name for path in (folder / "locks").iterdir())


def test_locks_of_a_dead_controller_are_cleared(folder):
    lock_files(folder)
    control(folder, HOLDER + "import os; os._exit(9)", returncode=9)
    assert len(locked(folder)) == 2
    control(folder, LOOKER)
    assert locked(folder) == []


def test_locks_of_an_unknown_controller_stay(folder):
    lock_files(folder)  # the folder is older than nasmake's own mark
    control(folder, LOOKER)
    assert len(locked(folder)) == 2


def test_locks_of_another_host_stay(folder):
    lock_files(folder)
    (folder / "controller").write_text(f"not-{socket.gethostname()}")
    control(folder, LOOKER)
    assert len(locked(folder)) == 2


def test_locks_of_a_controller_that_has_just_begun_stay(folder):
    control(folder, HOLDER)
    lock_files(folder)  # Snakemake locks before it says that it starts
    later = (folder / "controller").stat().st_mtime + 5
    for name in locked(folder):
        os.utime(folder / "locks" / name, (later, later))
    control(folder, LOOKER)
    assert len(locked(folder)) == 2


def test_locks_of_a_living_controller_stay(folder):
    lock_files(folder)
    command = [sys.executable, "-c", HOLDER + "print(flush=True); sys.stdin.read()", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        living.stdout.readline()
        control(folder, LOOKER)
        assert len(locked(folder)) == 2
        living.stdin.close()
        living.wait(60)
    control(folder, LOOKER)
    assert locked(folder) == []


def test_who_only_looks_does_not_keep_a_controller_from_its_lock(folder):
    control(folder, HOLDER)
    looking = [sys.executable, "-c", LOOKER + "print(flush=True); sys.stdin.read()", str(folder)]
    with subprocess.Popen(looking, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dry_run:
        dry_run.stdout.readline()
        with (folder / "controller").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        dry_run.stdin.close()


def test_jobs_of_a_controller_do_not_hold_its_lock(folder):
    """A job that outlives its controller must not keep the next one from clearing the lock."""
    orphan = (
        "import subprocess\nnowhere = subprocess.DEVNULL\n"
        "print(subprocess.Popen(['sleep', '600'], stdout=nowhere, stderr=nowhere).pid)\n"
    )
    command = [sys.executable, "-c", HOLDER + orphan, str(folder)]
    job = int(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    try:
        os.kill(job, 0)  # it is alive
        with (folder / "controller").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(job, 9)


def test_a_first_look_needs_no_folder(tmp_path):
    control(tmp_path / ".snakemake", LOOKER)
