"""The check of a device's gradients, with the CPU and faulty stand-ins in the place of a GPU."""

import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.engine import device, self_check
from nasmake.engine.device import memory_format, start
from nasmake.engine.self_check import TOLERANCE, check_gradients, gradients
from nasmake.models.layers import ACTIVATIONS

CPU, LAYOUTS = torch.device("cpu"), (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_good_device_passes(layout):
    check_gradients(CPU, layout, "CPU")


def test_no_value_is_near_the_kink_of_a_relu(monkeypatch):
    """A rounding error would change its side on a good device, and a gradient with it."""
    distances, relu = [], ACTIVATIONS["relu"]
    monkeypatch.setitem(ACTIVATIONS, "relu", lambda x: distances.append(x.abs().min().item()) or relu(x))
    found = gradients(CPU, torch.contiguous_format)
    assert len(distances) == 5 and min(distances) > 5e-5
    assert all(gradient.norm() > 0.1 for gradient in found.values())
    assert len(found) == 2 * (1 + 3 * 3) + 4  # of each block: the images and 3 x 3 weights; squeeze and excitation


class FaultyDevice:
    """Changes the gradients of the second computation, which is that of the device."""

    def __init__(self, monkeypatch, change):
        self.calls, self.compute, self.change = 0, gradients, change
        monkeypatch.setattr(self_check, "gradients", self)

    def __call__(self, *arguments):
        self.calls += 1
        found = self.compute(*arguments)
        return self.change(found) if self.calls == 2 else found


def error_of(name="MPS (Apple GPU)"):
    with pytest.raises(InputError) as caught:
        check_gradients(CPU, torch.contiguous_format, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


END = (
    f"; expected the CPU's to {TOLERANCE:g} with torch {torch.__version__}; type: the same command with "
    "--config 'trainer={accelerator: cpu}', or install another torch"
)


@pytest.mark.parametrize("factor, difference", [(1.5, "0.5"), (float("nan"), "nan")])
def test_a_wrong_gradient_is_one_line(monkeypatch, factor, difference):
    FaultyDevice(monkeypatch, lambda found: found | {"residual.images": found["residual.images"] * factor})
    text = f"the gradient of a test differs from the CPU by {difference} in residual.images"
    assert error_of() == f"trainer.accelerator: MPS (Apple GPU): {text}{END}"


def test_a_crash_of_the_device_is_one_line(monkeypatch):
    def crash(found):
        raise RuntimeError("view size is not\ncompatible")

    FaultyDevice(monkeypatch, crash)
    text = "trainer.accelerator: CUDA: the gradient of a test ends with view size is not compatible"
    assert error_of("CUDA") == text + END


@pytest.mark.parametrize(
    "accelerator, precision, expected",
    [
        ("cpu", "32-true", torch.channels_last),
        ("cpu", "bf16-mixed", torch.channels_last),
        ("mps", "32-true", torch.contiguous_format),
        ("mps", "bf16-mixed", torch.contiguous_format),
        ("gpu", "32-true", torch.contiguous_format),
        ("gpu", "bf16-mixed", torch.channels_last),
    ],
)
def test_memory_format_depends_on_the_device(accelerator, precision, expected):
    assert memory_format(accelerator, precision) == expected


def test_a_job_on_a_pretended_mps_is_checked_in_its_layout(monkeypatch):
    checked = []
    monkeypatch.setitem(device.IS_PRESENT, "mps", lambda: True)
    monkeypatch.setattr(device, "check_gradients", lambda *arguments: checked.append(arguments))
    runtime = start("mps", 1)
    assert checked == [(torch.device("mps"), torch.contiguous_format, "MPS (Apple GPU)")]
    model = torch.nn.Conv2d(3, 4, 3)
    assert runtime.lay_out(model) is model and model.weight.is_contiguous()


def test_a_job_on_the_cpu_is_not_checked(monkeypatch):
    monkeypatch.setattr(device, "check_gradients", lambda *_: pytest.fail("called"))
    assert start("cpu", 1).memory_format == torch.channels_last
