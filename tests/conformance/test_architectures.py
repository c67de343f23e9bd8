"""Requirements of every published network: its published costs, and the weights and logits of torchvision."""

import json
import re
from pathlib import Path

import pytest
import torch
from nasmake.costs.table import count_macs, count_parameters
from nasmake.data.loading.torchvision_import import torchvision
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.library import read_architecture
from torch.utils.flop_counter import FlopCounterMode

FOLDER = Path(__file__).parents[2] / "config" / "architectures"
PUBLISHED = sorted(path.stem for path in FOLDER.glob("*.json"))
every_network = pytest.mark.parametrize("name", PUBLISHED)

EXACT = {  # parameters and MACs at 224 x 224 and 1000 classes
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mnasnet_b1": (4_383_312, 314_415_872),
    "mnasnet_b1_0.5": (2_218_512, 104_455_968),
    "mnasnet_b1_0.75": (3_170_208, 215_493_104),
    "mnasnet_b1_1.3": (6_282_256, 526_362_432),
    "mnasnet_a1": (3_887_038, 311_579_072),
    "proxyless_gpu": (7_119_848, 465_260_160),
    "proxyless_mobile": (4_080_512, 320_427_584),
}
ROUNDED = {"proxyless_cpu": ("4.36M", "439.2M"), "proxyless_mobile_14": ("6.86M", "580.9M")}  # the paper's 581M
TORCHVISION = {
    "mobilenet_v2": "mobilenet_v2",
    "mnasnet_b1": "mnasnet1_0",
    "mnasnet_b1_0.5": "mnasnet0_5",
    "mnasnet_b1_0.75": "mnasnet0_75",
    "mnasnet_b1_1.3": "mnasnet1_3",
}
MNASNET = {  # index in torchvision's sequence of layers; the batch normalisation follows
    **{"0": "stem", "3": "blocks.0.0.depthwise", "6": "blocks.0.0.project", "14": "head"},
    **{str(index): f"blocks.{index - 7}" for index in range(8, 14)},
}
LAYER = {"0": "expand", "3": "depthwise", "6": "project"}
MOBILENET_DEPTHS = (1, 2, 3, 4, 3, 3, 1)


def network_of(name, num_classes=None):
    architecture, content = read_architecture(FOLDER / f"{name}.json", [], num_classes)
    return architecture.spec, content


def test_every_file_is_in_a_table():
    assert {*EXACT, *ROUNDED} == set(PUBLISHED)


@every_network
def test_file_says_where_it_is_from_and_for_what_images(name):
    spec, content = network_of(name)
    assert content["source"].count("arXiv") == 1 and content["name"]
    assert (content["input_size"], spec.num_classes) == (224, 1000)


@every_network
def test_round_trip(name):
    architecture, _ = read_architecture(FOLDER / f"{name}.json", [])
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json())), name) == architecture


@pytest.mark.parametrize("name", EXACT)
def test_costs_are_the_published_ones(name):
    spec, _ = network_of(name)
    assert (count_parameters(spec, 3), count_macs(spec, 3, 224)) == EXACT[name]


@pytest.mark.parametrize("name", ROUNDED)
def test_costs_round_to_the_published_ones(name):
    spec, _ = network_of(name)
    costs = f"{count_parameters(spec, 3) / 1e6:.2f}M", f"{count_macs(spec, 3, 224) / 1e6:.1f}M"
    assert costs == ROUNDED[name]


@every_network
@pytest.mark.parametrize(("size", "num_classes"), [(32, 10), (32, 100), (1, 10), (224, 1000)])
def test_costs_are_those_of_the_modules(name, size, num_classes):
    spec, _ = network_of(name, num_classes)
    with torch.device("meta"):
        network = Network(spec, 3).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.empty(1, 3, size, size, device="meta"))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert (parameters, counter.get_total_flops() / 2) == (
        count_parameters(spec, 3),
        count_macs(spec, 3, size),
    )


def ours(name):
    """Return the name in nasmake of a weight of torchvision's MNASNet or MobileNetV2."""
    if name.startswith("classifier.1."):
        return name.replace("classifier.1.", "classifier.")
    if name.startswith("layers."):
        return _ours_of_mnasnet(name)
    return _ours_of_mobilenet(name)


def _ours_of_mnasnet(name):
    inner = re.fullmatch(r"layers\.(\d+)\.(\d+)\.layers\.(\d+)\.(\w+)", name)
    if inner:
        block, layer, index, rest = inner.groups()
        return f"{MNASNET[block]}.{layer}.{_part(LAYER, index)}.{rest}"
    _, index, rest = name.split(".")
    return f"{_part(MNASNET, index)}.{rest}"


def _part(table, index):
    """Return the name of a convolution, or of the batch normalisation that follows one."""
    return f"{table[index]}.conv" if index in table else f"{table[str(int(index) - 1)]}.bn"


def _ours_of_mobilenet(name):
    position, rest = re.fullmatch(r"features\.(\d+)\.(.+)", name).groups()
    *parts, weight = rest.removeprefix("conv.").split(".")
    kind = "bn" if parts[-1] == "1" and len(parts) == 2 else "conv"
    if position in ("0", "18"):
        return f"{'stem' if position == '0' else 'head'}.{'conv' if parts == ['0'] else 'bn'}.{weight}"
    starts = [1 + sum(MOBILENET_DEPTHS[:block]) for block in range(7)]
    block = max(block for block in range(7) if starts[block] <= int(position))
    operations = ["depthwise", "project"] if block == 0 else ["expand", "depthwise", "project"]
    index = int(parts[0])
    if len(parts) == 1:  # torchvision does not nest the projection and its batch normalisation
        kind = "conv" if index == len(operations) - 1 else "bn"
        index = len(operations) - 1
    return f"blocks.{block}.{int(position) - starts[block]}.{operations[index]}.{kind}.{weight}"


@pytest.mark.parametrize("name", TORCHVISION)
def test_weights_have_the_shapes_of_torchvision(name):
    spec, _ = network_of(name)
    with torch.device("meta"):
        theirs = torchvision().models.get_model(TORCHVISION[name], weights=None).state_dict()
        mine = Network(spec, 3).state_dict()
    assert {ours(key): value.shape for key, value in theirs.items()} == {key: v.shape for key, v in mine.items()}


def test_weights_of_torchvision_give_its_logits():
    """Compare order of layers, residual connections and padding; MnasNet has ReLU too, and only its epsilon differs."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    theirs = torchvision().models.mnasnet0_5()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # statistics of this batch; with fresh ones all logits would be tiny, and so equal
    mine = Network(network_of("mnasnet_b1_0.5")[0], 3).eval()
    for batchnorm in mine.batchnorms():
        batchnorm.eps = 1e-5
    with torch.no_grad():
        theirs.train()(images)
        mine.load_state_dict({ours(key): value for key, value in theirs.eval().state_dict().items()})
        torch.testing.assert_close(mine(images), theirs(images), rtol=1e-4, atol=1e-4)
        assert theirs(images).std() > 1e-2
