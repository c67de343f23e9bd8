"""search_spaces/spec.py: the text forms of networks, and equal layers."""

import json

import pytest
from nasmake.search_spaces import LayerSpec, NetworkSpec


def layer(op="mbconv", stride=1, in_channels=8, out_channels=8, residual=False, **more):
    return LayerSpec(op, 3, 6 if op == "mbconv" else 1, in_channels, out_channels, stride, residual, **more)


def network(*blocks):
    return NetworkSpec(8, 2, blocks, 16, 10, 0.2)


@pytest.mark.parametrize(
    ("block", "string"),
    [
        ((layer(residual=True),), "ir_r1_k3_s1_e6_c8"),
        ((layer(),), "ir_r1_k3_s1_e6_c8_noskip"),
        (
            (layer(stride=2, out_channels=12), layer(in_channels=12, out_channels=12, residual=True)),
            "ir_r2_k3_s2_e6_c12",
        ),
        ((layer(stride=2, out_channels=12), layer(in_channels=12, out_channels=12)), "ir_r2_k3_s2_e6_c12_noskip"),
        ((layer(), layer(residual=True)), "ir_r1_k3_s1_e6_c8_noskip ir_r1_k3_s1_e6_c8"),
        ((layer(), layer(stride=2)), "ir_r1_k3_s1_e6_c8_noskip ir_r1_k3_s2_e6_c8"),
        ((layer("sepconv", out_channels=16),), "ds_r1_k3_s1_c16"),
        ((layer("conv", residual=True),), "cn_r1_k3_s1_c8_skip"),
        ((layer("conv"),), "cn_r1_k3_s1_c8"),
        ((layer(residual=True, se_channels=2, se_ratio=0.25),), "ir_r1_k3_s1_e6_c8_se0.25"),
        ((), ""),
    ],
)
def test_string(block, string):
    assert network(block).string() == string


def test_readable_is_json():
    blocks = network((layer(stride=2),), ()).readable()
    assert json.loads(json.dumps(blocks)) == [
        {
            "op": "mbconv",
            "depth": 1,
            "kernel_size": 3,
            "stride": 2,
            "expand_ratio": 6,
            "width": 8,
            "se_ratio": 0.0,
            "skip": True,
        },
        {"op": "zero"},
    ]


def test_equal_layers_are_the_same_network():
    assert layer(se_channels=2, se_ratio=0.25) == layer(se_channels=2, se_ratio=0.3)
    assert len({layer(se_channels=2, se_ratio=0.25), layer(se_channels=2, se_ratio=0.3), layer()}) == 2


def test_head_of_a_network_without_layers():
    assert network((), ()).head.in_channels == 8
