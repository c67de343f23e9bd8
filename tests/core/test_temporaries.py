"""Tests of nasmake.core.files: what is left beside a file when a process fails or dies."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest
from nasmake.core.files import ABANDONED_AFTER, sweep_temporaries, temporary_for, write_atomically


def test_full_disk_leaves_the_old_content_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "training.ckpt"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def killed(path):
    """Have a process killed while it writes `path`."""
    code = (
        "import os, sys, pathlib, nasmake.core.files as a\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), 9)\n"
        "a.write_atomically(pathlib.Path(sys.argv[1]), b'new')\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False).returncode == -9


def test_sweep_removes_what_dead_processes_left(tmp_path):
    killed(tmp_path / "training.ckpt")
    folder = tmp_path / f".digits.{socket.gethostname()}.999999999.tmp"
    folder.mkdir()
    (folder / "train_images.npy").touch()
    assert len(list(tmp_path.iterdir())) == 2
    sweep_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sweep_keeps_the_files_of_others(tmp_path):
    others = [
        temporary_for(tmp_path / "training.ckpt"),  # of a living process
        tmp_path / ".training.ckpt.elsewhere.999999999.tmp",  # of another host
        tmp_path / ".notes.tmp",
        tmp_path / f"notes.{socket.gethostname()}.999999999.tmp",
    ]
    for path in others:
        path.touch()
    sweep_temporaries(tmp_path)
    assert set(tmp_path.iterdir()) == set(others)


@pytest.mark.parametrize("name", [".training.ckpt.elsewhere.4.tmp", ".training.ckpt.4.tmp"])
def test_sweep_removes_old_temporaries_of_any_host(tmp_path, name):
    yesterday = time.time() - ABANDONED_AFTER - 1
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (yesterday, yesterday))
    sweep_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sweep_of_a_folder_that_does_not_exist(tmp_path):
    sweep_temporaries(tmp_path / "nowhere")
