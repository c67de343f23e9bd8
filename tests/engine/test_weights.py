"""Tests of nasmake.engine.weights: files of weights that are damaged or belong to another network."""

import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.engine.weights import load_weights, read_weights, write_weights
from safetensors.torch import save

LAYER = torch.nn.Linear(2, 3)


def error_of(path):
    with pytest.raises(InputError) as error:
        load_weights(torch.nn.Linear(2, 3), path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and text.isprintable() and len(text) < 500
    return text.removeprefix(f"{path}: ")


def test_weights_come_back_and_equal_ones_have_equal_bytes(tmp_path):
    weights = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.tensor(3, dtype=torch.int64)}
    write_weights(tmp_path / "x", weights, {"mean": [0.1], "classes": ["é"]})
    again = {name: weights[name].clone() for name in reversed(weights)}
    write_weights(tmp_path / "y", again, {"classes": ["é"], "mean": [0.1]})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    read_again = read_weights(tmp_path / "x")
    assert read_again.keys() == weights.keys() and all(torch.equal(read_again[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "tensor bias is missing; expected [3]; remove it and start again"),
        ({"bias": torch.zeros(3)}, "tensor weight is missing; expected [3, 2]; remove it"),
        ({"bias": torch.zeros(3), "weight": torch.zeros(2, 2)}, "tensor weight is [2, 2]; expected [3, 2]; remove it"),
        (LAYER.state_dict() | {"x\x1b": torch.zeros(())}, r'tensor "x\u001b" is []; expected none; remove it'),
    ],
)
def test_weights_of_another_network_are_one_line(tmp_path, tensors, message):
    (tmp_path / "x.safetensors").write_bytes(save(tensors))
    assert error_of(tmp_path / "x.safetensors").startswith(message)


@pytest.mark.parametrize("damage", ["missing", "empty", "short", "header"])
def test_damaged_file_is_one_line(tmp_path, damage):
    path = tmp_path / "x.safetensors"
    content = save(LAYER.state_dict())
    contents = {"empty": b"", "short": content[:-1], "header": content[:8] + b"\xff" + content[9:]}
    if damage != "missing":
        path.write_bytes(contents[damage])
    assert error_of(path).startswith("no such file" if damage == "missing" else "not a safetensors file (")


def test_weights_come_back(tmp_path):
    write_weights(tmp_path / "x.safetensors", dict(LAYER.state_dict()), {})
    layer = torch.nn.Linear(2, 3)
    load_weights(layer, tmp_path / "x.safetensors")
    assert torch.equal(layer.weight, LAYER.weight) and read_weights(tmp_path / "x.safetensors").keys() == {
        "weight",
        "bias",
    }
