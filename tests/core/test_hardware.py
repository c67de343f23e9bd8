import platform

import pytest
from nasmake.core import hardware


def test_the_processor_has_a_name():
    assert hardware.processor().strip()


def test_an_apple_gpu_counts_as_one(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert hardware.gpu_count() == 1
    assert hardware.describe_device("auto") == "MPS (Apple GPU)"


@pytest.mark.parametrize(("ids", "phrase"), [([], "CPU (no GPU found"), (["0", "1"], "CUDA (2 GPUs)")])
def test_description_of_a_linux_machine(monkeypatch, ids, phrase):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(hardware, "gpu_ids", lambda: ids)
    assert hardware.gpu_count() == len(ids)
    assert hardware.describe_device("auto").startswith(phrase)
    assert hardware.describe_device("mps") == "mps (trainer.accelerator)"
