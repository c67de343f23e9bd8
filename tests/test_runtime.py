import fcntl
import os
import socket
import subprocess
import sys

import pytest
import torch
from nasmake import hardware
from nasmake.artifacts import InputError
from nasmake.runtime import start

HOLDER = """
import sys
from pathlib import Path
from nasmake.controller import clear_stale_lock
clear_stale_lock(Path(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def one_thread_afterwards():
    yield
    torch.set_num_threads(1)


def test_number_of_threads_is_the_configurations(capsys):
    runtime = start("cpu", 3)
    assert torch.get_num_threads() == 3
    assert (runtime.device, runtime.accelerator, runtime.name) == (torch.device("cpu"), "cpu", "CPU")
    assert capsys.readouterr().out == f"device: CPU, 3 CPU threads, torch {torch.__version__}\n"
    start("cpu", 1)
    assert torch.get_num_threads() == 1
    assert "1 CPU thread, " in capsys.readouterr().out


def test_auto_takes_what_there_is():
    expected = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert start("auto", 1).accelerator == expected


@pytest.mark.parametrize("accelerator", ["gpu", "mps"])
def test_missing_hardware_is_one_line(accelerator):
    if {"gpu": torch.cuda.is_available, "mps": torch.backends.mps.is_available}[accelerator]():
        pytest.skip("this machine has it")
    with pytest.raises(InputError) as error:
        start(accelerator, 1)
    assert str(error.value).startswith(f"trainer.accelerator: {accelerator} asked for") and "\n" not in str(error.value)


def test_accelerator_of_the_configuration_is_named():
    assert hardware.describe("mps") == "mps (trainer.accelerator)"
    assert hardware.describe("auto").startswith(("CPU (no GPU found", "CUDA (", "MPS ("))
    assert (hardware.gpu_count() == 0) == hardware.describe("auto").startswith("CPU")


# The lock of a controller.


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    return tmp_path


def lock_files(folder):
    for name in ("0.input.lock", "0.output.lock"):
        (folder / "locks" / name).touch()


def control(folder, more=""):
    return subprocess.run([sys.executable, "-c", HOLDER + more, str(folder)], timeout=60).returncode


def locked(folder):
    return sorted(path.name for path in (folder / "locks").iterdir())


def test_locks_of_a_dead_controller_are_cleared(folder):
    assert control(folder, "import os; os._exit(9)") == 9
    lock_files(folder)
    control(folder)
    assert locked(folder) == []


def test_locks_of_an_unknown_controller_stay(folder):
    lock_files(folder)  # the folder is older than nasmake's own mark
    control(folder)
    assert len(locked(folder)) == 2


def test_locks_of_another_host_stay(folder):
    (folder / "controller").write_text(f"not-{socket.gethostname()}")
    lock_files(folder)
    control(folder)
    assert len(locked(folder)) == 2
    assert (folder / "controller").read_text() == socket.gethostname()


def test_locks_of_a_living_controller_stay(folder):
    command = [sys.executable, "-c", HOLDER + "print(flush=True); sys.stdin.read()", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        living.stdout.readline()
        lock_files(folder)
        control(folder)
        assert len(locked(folder)) == 2
        living.stdin.close()
        living.wait(60)
    control(folder)
    assert locked(folder) == []


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


def test_missing_folder_is_made(tmp_path):
    assert control(tmp_path / ".snakemake") == 0
    assert (tmp_path / ".snakemake" / "controller").read_text() == socket.gethostname()
