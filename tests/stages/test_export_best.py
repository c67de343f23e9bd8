"""The exported network: the logits of the network itself, for any batch size, in formats that need no nasmake."""

from pathlib import Path

import numpy as np
import pytest
import torch
from nasmake.engine.weights import write_weights
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.library import read_architecture
from nasmake.stages.export_best import export_best

ARCHITECTURES = Path(__file__).parents[2] / "config" / "architectures"
SIZE = 16
LAYER = {"kernel_size": 3, "stride": 1, "depth": 1, "width": 8, "skip": True, "expand_ratio": 2}
EVERYTHING = {  # every operation, activation and gate, and the head after the pooling
    "stem": {"width": 8, "stride": 2, "activation": "hard_swish"},
    "blocks": [
        LAYER | {"op": "sepconv", "expand_ratio": 1},
        LAYER | {"op": "mbconv", "depth": 2, "se_ratio": 0.25, "activation": "silu"},
        LAYER | {"op": "mbconv", "se_ratio": 0.25, "se_gate": "hard_sigmoid", "activation": "hard_swish"},
        LAYER | {"op": "fused", "stride": 2, "activation": "relu6"},
        {"op": "depthwise", "kernel_size": 5, "stride": 1, "depth": 1, "skip": False},
    ],
    "head": {"width": 24, "position": "after_pooling", "activation": "hard_swish"},
    "class_num": 7,
    "dropout": 0.3,
}


def spec_of(name):
    if name == "everything":
        return Architecture.from_json(EVERYTHING, name).spec
    return read_architecture(ARCHITECTURES / f"{name}.json", (), 7)[0].spec


def trained(spec, folder):
    """A network in eval mode whose BatchNorm statistics are not the initial ones, and the file of its weights."""
    torch.manual_seed(0)
    network = Network(spec, 3)
    with torch.no_grad():
        network(torch.randn(16, 3, SIZE, SIZE))
    write_weights(folder / "model.safetensors", network.state_dict(), {})
    return network.eval(), folder / "model.safetensors"


SLOW = ("mobilenet_v3_small", "tinynet_a")


@pytest.mark.parametrize("name", ["everything", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_program_has_the_bits_of_the_network_for_any_batch_size(tmp_path, name):
    spec = spec_of(name)
    network, weights = trained(spec, tmp_path)
    export_best(spec, weights, 3, SIZE, tmp_path / "model.pt2", None)
    program = torch.export.load(tmp_path / "model.pt2").module()
    for count in (1, 2, 64):
        images = torch.randn(count, 3, SIZE, SIZE)
        with torch.no_grad():
            assert torch.equal(program(images), network(images))


def test_equal_networks_give_equal_bytes_without_paths_of_this_machine(tmp_path):
    spec = spec_of("everything")
    _, weights = trained(spec, tmp_path)
    files = [tmp_path / "one.pt2", tmp_path / "two.pt2"]
    for file in files:
        export_best(spec, weights, 3, SIZE, file, None)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"layers.py" not in files[0].read_bytes()


@pytest.mark.parametrize("name", ["everything", pytest.param("mobilenet_v3_small", marks=pytest.mark.slow)])
def test_onnx_model_agrees_with_the_network(tmp_path, name):
    """With the extra `onnx` only: its packages are not in the lock."""
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    spec = spec_of(name)
    network, weights = trained(spec, tmp_path)
    export_best(spec, weights, 3, SIZE, tmp_path / "model.pt2", tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    for count in (1, 64):
        images = torch.randn(count, 3, SIZE, SIZE)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, network(images).numpy(), atol=1e-4)
    assert b"layers.py" not in (tmp_path / "model.onnx").read_bytes()
