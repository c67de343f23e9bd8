import json
from random import Random

import pytest
from nasmake.artifacts import InputError
from nasmake.search_spaces import Architecture
from small_spaces import build, shipped, small


@pytest.mark.parametrize("name", ["proxyless_digits", "mnasnet_cifar10"])
def test_round_trip(name):
    space = shipped(name)
    architecture = Architecture.from_decisions(space.sample(Random(0)), space)
    content = json.loads(json.dumps(architecture.to_json() | {"macs": 3}))
    assert Architecture.from_json(content, space) == architecture
    assert content["space"] == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space_hash": "0" * 16}, r"of the space made_up \(0{16}\): expected made_up \(.{16}\) as in made_up.yaml"),
        ({"decisions": [9] * 21}, "made_up.yaml: block0.depth: 9: expected an index"),
        ({"decisions": None}, "expected a list of indices"),
    ],
)
def test_wrong_content(changes, message):
    space = build(small())
    content = Architecture.from_decisions((0,) * 21, space).to_json()
    with pytest.raises(InputError, match=message):
        Architecture.from_json(content | changes, space)


def test_missing_key():
    with pytest.raises(InputError, match="decisions: missing"):
        Architecture.from_json({"space": "", "space_hash": ""}, build(small()))


def test_wrong_vector():
    with pytest.raises(InputError, match="2 decisions"):
        Architecture.from_decisions((0, 0), build(small()))
