"""Weights as safetensors files. This module may import core."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from nasmake.core.errors import InputError, cut, shown
from nasmake.core.files import canonical_json, write_atomically

REMEDY = "remove it and start again"


def write_weights(path: Path, weights: dict[str, torch.Tensor], preprocessing: Mapping[str, Any]) -> str:
    """Write the weights of a network as safetensors, and return the SHA-256 checksum; equal content has equal bytes.

    Only rank 0 writes. The other ranks get the same checksum without the file, which may not be there yet.

    Args:
        path: the file.
        weights: tensors of any shape, by name; none if training ended early.
        preprocessing: JSON object of a `Preprocessing`. The metadata of the file has it as text, unless there are no
            weights. A second entry in the metadata would change the bytes: safetensors writes entries in any order.
    """
    metadata = {"preprocessing": canonical_json(preprocessing)} if weights else None
    content = save({name: value.cpu().contiguous() for name, value in weights.items()}, metadata)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        InputError: the file is missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises an exception of its own for each defect
        raise InputError(f"{path}: not a safetensors file ({cut(f'{error}', 200)}); {REMEDY}") from None


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load all weights of a module from a safetensors file.

    Raises:
        InputError: the file is missing or damaged, or its tensors are not those of the module.
    """
    weights = read_weights(path)
    expected = module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        found, wanted = (list(tensors[name].shape) if name in tensors else "missing" for tensors in (weights, expected))
        if found != wanted:
            where = f"{path}: tensor {shown(name)}"
            raise InputError(f"{where} is {found}; expected {'none' if wanted == 'missing' else wanted}; {REMEDY}")
    module.load_state_dict(weights)
