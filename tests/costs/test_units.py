"""costs/units.py: keys of profiled units, and the units of networks and spaces."""

from random import Random

import pytest
from hypothesis import given
from nasmake.costs.units import ProfiledUnit, units_of_network, units_of_space
from nasmake.search_spaces import Convolution, LayerSpec
from small_spaces import SHIPPED, made_up, shipped


def layer(op="mbconv", expand_ratio=6, stride=2, residual=False, se_channels=0):
    return LayerSpec(op, 5, expand_ratio, 24, 40, stride, residual, se_channels)


@pytest.mark.parametrize(
    ("unit", "key"),
    [
        (ProfiledUnit(layer(), 16), "mbconv_k5_s2_e6_i24_o40_r16"),
        (ProfiledUnit(layer(se_channels=4, stride=1, residual=True), 16), "mbconv_k5_s1_e6_i24_o40_se4_skip_r16"),
        (ProfiledUnit(layer("sepconv", expand_ratio=1), 7), "sepconv_k5_s2_i24_o40_r7"),
        (ProfiledUnit(Convolution("stem", 3, 32, 3, stride=2), 32), "stem_k3_s2_i3_o32_r32"),
        (ProfiledUnit(Convolution("head", 320, 1280, 1), 2, 10), "head_k1_s1_i320_o1280_c10_r2"),
    ],
)
def test_keys_can_be_read(unit, key):
    assert unit.key == key


@given(made_up())
def test_different_units_have_different_keys(space):
    keys = {}
    for size in (7, 8):
        for key, unit in units_of_space(space, 3, size).items():
            assert keys.setdefault(key, unit) == unit


@pytest.mark.parametrize("name", SHIPPED)
def test_every_network_consists_of_units_of_its_space(name):
    space, rng = shipped(name), Random(0)
    known = units_of_space(space, 3, 32)
    for _ in range(50):
        units = units_of_network(space.decode(space.sample(rng)), 3, 32)
        assert all(known[unit.key] == unit for unit in units)


def test_a_unit_that_occurs_several_times_is_measured_once():
    assert len(units_of_space(shipped("mnasnet_cifar10"), 3, 32)) == 1492
    assert len(units_of_space(shipped("proxyless_cifar10"), 3, 32)) == 69
