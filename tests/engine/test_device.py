"""Devices and threads of a job; tests/core/test_seeding.py tests `seed_torch`."""

import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.engine.device import start


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
    assert str(error.value).startswith(f"trainer.accelerator is {accelerator}; expected ") and "\n" not in str(
        error.value
    )
