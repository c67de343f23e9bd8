"""Convert the best network into formats that need no nasmake: a torch.export program, and ONNX.

This module may import core, models and the engine.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from nasmake.core.files import write_atomically
from nasmake.engine.weights import load_weights
from nasmake.models.network import Network
from nasmake.search_spaces import NetworkSpec


def export_best(spec: NetworkSpec, weights: Path, channels: int, size: int, program: Path, onnx: Path | None) -> None:
    """Write a trained network as a program of torch.export and, if `onnx` is a path, as an ONNX model.

    Both map normalised images, float32 [N, C, H, W] with any N, to logits [N, classes]. The program gives the same bits
    as the network itself, on the same machine.

    Args:
        spec: the network.
        weights: its weights as safetensors.
        channels: C.
        size: H and W in pixels.
        program: the file of the program.
        onnx: the file of the ONNX model.

    Raises:
        InputError: the weights are not those of the network.
    """
    network = Network(spec, channels)
    load_weights(network, weights)
    exported = export_network(network.eval(), channels, size)
    content = io.BytesIO()
    torch.export.save(exported, content)
    write_atomically(program, content.getvalue())
    if onnx is not None:
        write_atomically(onnx, onnx_model(exported))


def export_network(network: Network, channels: int, size: int) -> torch.export.ExportedProgram:
    """Return a network in eval mode as a program; equal networks give equal bytes.

    Args:
        network: maps [N, C, H, W] to logits [N, classes].
        channels: C.
        size: H and W in pixels.
    """
    batch = torch.export.Dim("batch", min=1)
    images = torch.zeros(2, channels, size, size)  # with one image torch would take the batch size for a constant
    exported = torch.export.export(network, (images,), dynamic_shapes=({0: batch},))
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)  # has the paths of this checkout and of its environment
    return exported


def onnx_model(exported: torch.export.ExportedProgram) -> bytes:
    """Return a program as an ONNX model, whose input is `images` and whose output is `logits`."""
    import torch.onnx

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # the exporter of torch 2.13 uses functions that torch deprecates
        names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
        program = torch.onnx.export(exported, dynamo=True, verbose=False, **names)
    assert program is not None  # it is None only if a path is given
    content: bytes = program.model_proto.SerializeToString(deterministic=True)
    return content
