"""The lock of the Snakemake folder: locks of a dead controller are cleared, those of a living one stay."""

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from nasmake.core.errors import InputError
from nasmake.pipeline.lock import BOOT, clear_dead_lock, controller_at_work, hold_lock

HOLDER = """
import sys
from pathlib import Path
from nasmake.pipeline.lock import hold_lock
hold_lock(Path(sys.argv[1]))
print(flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    return tmp_path


def lock_files(folder):
    for name in ("0.input.lock", "0.output.lock"):
        (folder / "locks" / name).touch()


def locked(folder):
    return sorted(path.name for path in (folder / "locks").iterdir())


def hold_and_die(folder):
    command = [sys.executable, "-c", HOLDER + "import os; os._exit(9)", str(folder)]
    assert subprocess.run(command, timeout=60).returncode == 9


@contextmanager
def a_controller_at_work(folder):
    command = [sys.executable, "-c", HOLDER + "sys.stdin.read()", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        living.stdout.readline()
        yield living
        living.stdin.close()


def is_free(folder):
    with (folder / "controller").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def write_marker(folder, **content):
    (folder / "controller").write_text(json.dumps({"pid": 7, "since": "2026-01-02 03:04:05"} | content))


def test_locks_of_a_dead_controller_are_cleared(folder):
    hold_and_die(folder)
    lock_files(folder)
    clear_dead_lock(folder)
    assert locked(folder) == []
    lock_files(folder)
    hold_and_die(folder)
    assert locked(folder) == []


def test_a_first_run_needs_no_folder(tmp_path):
    clear_dead_lock(tmp_path / ".snakemake")
    assert controller_at_work(tmp_path / ".snakemake") is None
    hold_and_die(tmp_path / ".snakemake")


def test_a_living_controller_is_named_and_its_locks_stay(folder):
    with a_controller_at_work(folder) as living:
        lock_files(folder)
        clear_dead_lock(folder)
        holder = rf"on host {socket.gethostname()} \(process {living.pid}, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\)"
        assert re.fullmatch(holder, controller_at_work(folder))
        with pytest.raises(InputError) as error:
            hold_lock(folder)
        expected = f"{re.escape(str(folder))}/controller: a study is running here {holder}; expected none; .*"
        assert re.fullmatch(expected, str(error.value))
        assert len(locked(folder)) == 2
    assert controller_at_work(folder) is None
    hold_and_die(folder)
    assert locked(folder) == []


def test_locks_of_another_host_stay_and_the_user_is_asked(folder):
    lock_files(folder)
    write_marker(folder, host="login7", boot="another")
    clear_dead_lock(folder)
    with pytest.raises(InputError) as error:
        hold_lock(folder)
    assert str(error.value) == (
        f"{folder}/controller: a study was started on host login7 (process 7, since 2026-01-02 03:04:05) and has left "
        f"a lock; expected a lock of this host ({socket.gethostname()}); if no snakemake runs there any more, type: "
        "snakemake --unlock"
    )
    assert len(locked(folder)) == 2


def test_a_controller_of_another_host_that_has_ended_well_is_no_obstacle(folder):
    write_marker(folder, host="login7", boot="another")
    hold_and_die(folder)
    assert json.loads((folder / "controller").read_text())["host"] == socket.gethostname()


@pytest.mark.skipif(not BOOT.is_file(), reason="Linux tells containers of one host by it")
def test_locks_of_another_container_on_this_host_are_cleared(folder):
    lock_files(folder)
    write_marker(folder, host="3f2a77c0d1e4", boot=BOOT.read_text().strip())
    hold_and_die(folder)
    assert locked(folder) == []


@pytest.mark.parametrize("content", [b"", b"an earlier version wrote the host alone", b"\xff\x00", b"[1]"])
def test_a_damaged_marker_is_of_an_unknown_host(folder, content):
    (folder / "controller").write_bytes(content)
    lock_files(folder)
    clear_dead_lock(folder)
    with pytest.raises(InputError, match=r"a study was started on an unknown host and has left a lock; .* --unlock"):
        hold_lock(folder)
    lock = folder / "locks"
    for path in lock.iterdir():  # as --unlock does
        path.unlink()
    hold_and_die(folder)


def test_who_only_looks_keeps_no_controller_from_its_lock(folder):
    hold_and_die(folder)
    clear_dead_lock(folder)
    assert controller_at_work(folder) is None
    assert is_free(folder)
    with (folder / "controller").open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        command = [sys.executable, "-c", HOLDER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as starting:
            time.sleep(0.5)
            fcntl.flock(looking, fcntl.LOCK_UN)
            assert starting.wait(60) == 0


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
        assert is_free(folder)
    finally:
        os.kill(job, 9)
