"""Weights as safetensors files. This module may import core."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save

from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically


def write_weights(path: Path, weights: dict[str, torch.Tensor]) -> None:
    """Write tensors of any shape as safetensors; equal tensors give equal bytes."""
    write_atomically(path, save({name: value.cpu().contiguous() for name, value in weights.items()}))


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises an exception of its own for each defect
        raise InputError(f"{path}: not a safetensors file ({error}); remove it and start again") from None
