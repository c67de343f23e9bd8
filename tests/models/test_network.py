"""models/network.py and models/layers.py: names, shapes, memory layout and first signals."""

import pytest
import torch
from nasmake.models.network import Network
from nasmake.search_spaces import LayerSpec, NetworkSpec
from small_spaces import build, shipped, small


def all_layers():
    space = build(small())
    vectors = [space.vectors(index, block.in_channel_choices[0]) for index, block in enumerate(space.blocks)]
    return list(dict.fromkeys(layer for block in vectors for layers in block for layer in layers))


def test_names_of_the_weights():
    layer = LayerSpec("mbconv", 3, 2, 8, 8, 1, residual=True, se_channels=2)
    names = Network(NetworkSpec(8, 2, ((), (layer,)), 16, 5, 0.2), 3).state_dict()
    assert {name for name in names if "bn" not in name} == {
        "stem.conv.weight",
        "blocks.1.0.expand.conv.weight",
        "blocks.1.0.depthwise.conv.weight",
        "blocks.1.0.squeeze_excite.reduce.weight",
        "blocks.1.0.squeeze_excite.reduce.bias",
        "blocks.1.0.squeeze_excite.expand.weight",
        "blocks.1.0.squeeze_excite.expand.bias",
        "blocks.1.0.project.conv.weight",
        "head.conv.weight",
        "classifier.weight",
        "classifier.bias",
    }


@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_kind_of_layer_runs_at_every_size(in_channels):
    for layer in all_layers():
        network = Network(NetworkSpec(layer.in_channels, 2, ((layer,),), 16, 5, 0.2), in_channels).eval()
        for size in (1, 7):
            assert network(torch.randn(2, in_channels, size, size)).shape == (2, 5)


def test_a_residual_layer_with_zeroed_output_is_the_identity():
    spec = NetworkSpec(8, 2, ((LayerSpec("mbconv", 3, 2, 8, 8, 1, residual=True),),), 16, 5, 0.2)
    block = Network(spec, 3).eval().blocks[0]
    torch.nn.init.zeros_(block[0].project.bn.weight)
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


def test_network_of_empty_blocks():
    network = Network(NetworkSpec(8, 2, ((), ()), 16, 5, 0.2), 3)
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_strides_down_to_one_pixel():
    """Padding keeps the last pixel, so an image of one pixel keeps its size."""
    layers = tuple(LayerSpec(op, 5, 1, 8, 8, 2, residual=False) for op in ("conv", "sepconv", "mbconv"))
    network = Network(NetworkSpec(8, 2, (layers,), 16, 5, 0.2), 3)
    assert network(torch.randn(2, 3, 9, 9)).shape == (2, 5)
    assert network.blocks(network.stem(torch.randn(2, 3, 9, 9))).shape == (2, 8, 1, 1)


@pytest.mark.parametrize("name", ["proxyless_cifar10", "mnasnet_cifar10"])
def test_channels_last_stays(name):
    space = shipped(name)
    network = Network(space.decode((1,) * len(space.decisions)), 3).to(memory_format=torch.channels_last).eval()
    outputs = []
    for module in (network.stem, *network.blocks, network.head):
        module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    network(torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last))
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in outputs)


def test_weights_follow_the_seed():
    spec = build(small()).decode((0,) * 21)

    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in Network(spec, 3).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_first_logits_are_small_and_first_signals_are_not():
    """Activations neither explode nor vanish, and class probabilities are almost equal."""
    torch.manual_seed(0)
    space = shipped("proxyless_cifar10")
    network = Network(space.decode((1,) * 16), 3)
    x = torch.randn(32, 3, 32, 32)
    body = network.head(network.blocks(network.stem(x)))
    assert 0.3 < body.std() < 3
    assert network(x).abs().max() < 2
