"""Costs of operations that a user wrote in Python: counted by running the module once without data.

The check of what the module returns is here too, because it needs the same run. Torch is imported within functions,
since the Snakefile loads this module. It imports core and search_spaces only.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from nasmake.core.errors import InputError
from nasmake.costs.units import ProfiledUnit
from nasmake.search_spaces import LayerSpec, OwnOperation
from nasmake.search_spaces.own_operations import OperationsFile, reported

FORMULA = "macs"  # attribute of a class or function of OPERATIONS that computes the multiply-adds


def own_macs(layer: LayerSpec, input_size: int) -> int:
    """Return the multiply-adds of a user's operation for one image of `input_size` x `input_size` pixels.

    They come from the operation's own formula if it has one. Otherwise torch counts convolutions, linear layers and
    products of matrices in a run on the meta device, which computes shapes only.

    Raises:
        InputError: the user's code fails, returns another shape than the layer needs, or keeps hidden state.
    """
    assert layer.own is not None
    return _counted(layer.own.file, layer.own, *_arguments(layer), input_size)


def own_parameters(layer: LayerSpec) -> int:
    """Return the learnable parameters of a user's operation.

    Raises:
        InputError: the user's code fails.
    """
    assert layer.own is not None
    return _parameters(layer.own.file, layer.own, *_arguments(layer))


def check_operations(units: Iterable[ProfiledUnit]) -> None:
    """Try every operation that a user wrote.

    Raises:
        InputError: the user's code fails, returns another shape than the layer needs, or keeps hidden state.
    """
    for unit in units:
        if isinstance(unit.part, LayerSpec) and unit.part.own:
            own_macs(unit.part, unit.input_size)


def _arguments(layer: LayerSpec) -> tuple[int, int, int, int]:
    return layer.in_channels, layer.out_channels, layer.stride, layer.kernel_size


@cache
def _parameters(file: OperationsFile, operation: OwnOperation, *arguments: int) -> int:
    return sum(parameter.numel() for parameter in _module(operation, *arguments).parameters())


@cache
def _counted(file: OperationsFile, operation: OwnOperation, *arguments: int) -> int:
    """Return the multiply-adds for in_channels, out_channels, stride, kernel_size and input_size."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    *shape, size = arguments
    in_channels, out_channels, stride, _ = shape
    module, counter = _module(operation, *shape), FlopCounterMode(display=False)
    what = f"operation {operation}"
    with reported(operation.file.path, what), counter, torch.no_grad():
        output = module.eval()(torch.empty(2, in_channels, size, size, device="meta"))
    edge = -(-size // stride)
    expected, found = [2, out_channels, edge, edge], list(getattr(output, "shape", []))
    if found != expected:
        raise InputError(
            f"{operation.file.path}: {what}: returns {found or type(output).__name__} for images [2, {in_channels}, "
            f"{size}, {size}] at stride {stride}; expected {expected}"
        )
    formula = getattr(operation.definition, FORMULA, None)
    if formula is None:
        return counter.get_total_flops() // 4  # two images, and two operations for each multiply-add
    with reported(operation.file.path, f"{what}: {FORMULA}"):
        return int(formula(*arguments))


def _module(operation: OwnOperation, *arguments: int) -> Any:
    """Return a module of the operation without memory for weights.

    Raises:
        InputError: it is no torch module, or has a buffer that its state does not contain.
    """
    import torch

    where = f"{operation.file.path}: operation {operation}"
    with torch.device("meta"):
        module = operation.make(*arguments)
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{where}: is {type(module).__name__}; expected a torch.nn.Module")
    hidden = {name for name, _ in module.named_buffers()} - module.state_dict().keys()
    if hidden:
        raise InputError(
            f"{where}: buffer {min(hidden)} is not persistent; expected register_buffer without persistent=False, "
            "because networks are copied by their state"
        )
    return module
