"""Compare the gradients of this job's device with those of the CPU before it trains.

Convolution and batch normalisation on some devices and torch versions return wrong gradients without an error. Training
then ends in useless weights hours later. This module may import core, search_spaces and models.
"""

import torch
from torch import Tensor

from nasmake.core.errors import InputError
from nasmake.models.layers import Layer, channels_last
from nasmake.search_spaces import LayerSpec

TOLERANCE = 1e-3  # of a gradient's norm
IMAGES = (4, 16, 8, 8)  # [N, C, H, W]
SEED = 6  # with it, no value is so near to the kink of a ReLU that a rounding error changes its side
BLOCKS = {
    "residual": LayerSpec("mbconv", 3, 3, 16, 16, stride=1, residual=True, se_channels=4),
    "strided": LayerSpec("mbconv", 5, 3, 16, 24, stride=2, residual=False),
}


def check_gradients(device: torch.device, memory_format: torch.memory_format, name: str) -> None:
    """Compute the gradients of a few blocks on `device` and on the CPU.

    TF32 is off meanwhile: its rounding errors are as large as the tolerance.

    Args:
        device: what the job trains on.
        memory_format: that of images and filters on this device.
        name: of the device, for the error.

    Raises:
        InputError: a gradient differs from that of the CPU by more than TOLERANCE of its norm, or the device ends the
            computation with an error.
    """
    expected = gradients(torch.device("cpu"), torch.contiguous_format)
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            found = gradients(device, memory_format)
    except RuntimeError as error:
        raise _wrong(name, f"ends with {' '.join(str(error).split())[:200]}") from None
    for layer, gradient in expected.items():
        difference = ((found[layer] - gradient).norm() / gradient.norm()).item()
        if not difference <= TOLERANCE:  # also if it is not a number
            raise _wrong(name, f"differs from the CPU by {difference:.2g} in {layer}")


def gradients(device: torch.device, memory_format: torch.memory_format) -> dict[str, Tensor]:
    """Return the gradients of the images and of all weights of each block, by name, on the CPU.

    Args:
        device: where they are computed.
        memory_format: of the images and the filters.
    """
    generator, found = torch.Generator().manual_seed(SEED), {}
    for block_name, spec in BLOCKS.items():
        block = Layer(spec)
        for parameter in block.parameters():
            fan_in = parameter[0].numel()
            parameter.data = torch.randn(parameter.shape, generator=generator) / fan_in**0.5
        images = torch.randn(IMAGES, generator=generator)
        block = channels_last(block.to(device)) if memory_format == torch.channels_last else block.to(device)
        images = images.to(device).contiguous(memory_format=memory_format).requires_grad_()
        outputs = block(images)
        outputs.backward(torch.randn(outputs.shape, generator=generator).to(device))
        for name, tensor in {"images": images, **dict(block.named_parameters())}.items():
            assert tensor.grad is not None
            found[f"{block_name}.{name}"] = tensor.grad.cpu()
    return found


def _wrong(name: str, problem: str) -> InputError:
    return InputError(
        f"trainer.accelerator: {name}: the gradient of a test {problem}; expected the CPU's to {TOLERANCE:g} with "
        f"torch {torch.__version__}; type: the same command with --config 'trainer={{accelerator: cpu}}', "
        "or install another torch"
    )
