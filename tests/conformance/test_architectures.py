"""Requirements of every published network: its published costs, and the weights and logits of independent builds."""

import json
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from nasmake.costs.table import count_macs, count_parameters
from nasmake.data.loading.torchvision_import import torchvision
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.library import read_architecture
from proxyless_networks import NETWORKS, proxyless
from small_spaces import shipped
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
EXACT |= {  # of torchvision and timm
    "efficientnet_b0": (5_288_548, 385_814_752),
    "efficientnet_b1": (7_794_184, 569_651_680),
    "efficientnet_es": (5_438_392, 1_788_731_008),
    "efficientnet_lite0": (4_652_008, 385_187_552),
    "fbnet_c": (5_572_200, 384_960_160),
    "hardcorenas_a": (5_260_232, 224_227_936),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v2_1.4": (6_108_776, 582_195_824),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "semnasnet": (3_887_038, 311_579_072),
    "semnasnet_1.4": (6_105_992, 586_317_952),
    "spnasnet": (4_421_616, 333_467_072),
    "tinynet_a": (6_187_972, 457_765_216),
}
# MACs in millions, since exact ones are not published; the paper has 581 for proxyless_mobile_14.
ROUNDED = {"proxyless_cpu": (4_361_648, "439.2M"), "proxyless_mobile_14": (6_857_568, "580.9M")}
TORCHVISION = {
    "mobilenet_v2": "mobilenet_v2",
    "mnasnet_b1": "mnasnet1_0",
    "mnasnet_b1_0.5": "mnasnet0_5",
    "mnasnet_b1_0.75": "mnasnet0_75",
    "mnasnet_b1_1.3": "mnasnet1_3",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b1": "efficientnet_b1",
}
TIMM = {
    "mnasnet_a1": "semnasnet_100",
    "semnasnet": "semnasnet_100",
    "semnasnet_1.4": "semnasnet_140",
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2_1.4": "mobilenetv2_140",
    "fbnet_c": "fbnetc_100",
    "spnasnet": "spnasnet_100",
    "efficientnet_lite0": "efficientnet_lite0",
    "efficientnet_es": "efficientnet_es",
    "tinynet_a": "tinynet_a",
    "hardcorenas_a": "hardcorenas_a",
}


def network_of(name, num_classes=None):
    architecture, content = read_architecture(FOLDER / f"{name}.json", [], num_classes)
    return architecture.spec, content


def test_every_file_is_in_a_table():
    assert {*EXACT, *ROUNDED} == set(PUBLISHED)


@every_network
def test_file_says_where_it_is_from_and_for_what_images(name):
    spec, content = network_of(name)
    assert content["source"].count("arXiv") == 1 and content["name"]
    size = {"efficientnet_b1": 240, "tinynet_a": 192}.get(name, 224)
    assert (content["input_size"], spec.num_classes) == (size, 1000)


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
    assert (count_parameters(spec, 3), f"{count_macs(spec, 3, 224) / 1e6:.1f}M") == ROUNDED[name]


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


def oracle(name):
    """Return an independent build of the network, with weights drawn anew."""
    if name in NETWORKS:
        return proxyless(name)
    if name in TORCHVISION:
        return torchvision().models.get_model(TORCHVISION[name], weights=None)
    torchvision()  # timm imports it, which fails with some builds of torch unless nasmake imported it before
    return pytest.importorskip("timm").create_model(TIMM[name])


@pytest.mark.parametrize("name", [*TORCHVISION, *TIMM, *NETWORKS])
def test_weights_of_an_independent_build_give_its_logits(name):
    """Both networks list their weights in the order of computation, so the weights are copied one after the other."""
    torch.manual_seed(0)
    compare_logits(network_of(name)[0], oracle(name))


def compare_logits(spec, theirs):
    """Copy the weights of an independent network, and compare its logits with those of `spec`."""
    images = torch.randn(4, 3, 64, 64)
    mine = Network(spec, 3).eval()
    assert epsilons(mine) == epsilons(theirs)  # the logits hardly depend on them
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # statistics of this batch; with fresh ones all logits would be tiny, and so equal
            torch.nn.init.uniform_(module.weight, 1, 4)  # so that ReLU and ReLU6 differ
    with torch.no_grad():
        theirs.train()(images)
        weights, shapes = theirs.eval().state_dict(), mine.state_dict()
        assert [tensor.numel() for tensor in weights.values()] == [tensor.numel() for tensor in shapes.values()]
        pairs = zip(shapes.items(), weights.values(), strict=True)
        mine.load_state_dict({key: tensor.reshape(like.shape) for (key, like), tensor in pairs})
        expected = theirs(images)
        scale = expected.std()
        torch.testing.assert_close(mine(images) / scale, expected / scale, rtol=1e-4, atol=1e-4)


def epsilons(network):
    return [module.eps for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]


OFA_STAGES = [(24, 2, "re", 0), (40, 2, "re", 0.25), (80, 2, "hs", 0), (112, 1, "hs", 0.25), (160, 2, "hs", 0.25)]


def timm_of_once_for_all(kernels, expansions, depths):
    """Return the subnet of once-for-all's MobileNetV3 as timm builds it from its own shorthand."""
    torchvision()
    mobilenetv3 = pytest.importorskip("timm").models.mobilenetv3
    stages = [["ds_r1_k3_s1_c16_nre"]]
    for stage, ((width, stride, activation, squeeze), depth) in enumerate(zip(OFA_STAGES, depths, strict=True)):
        places = range(4 * stage, 4 * stage + depth)
        strides = [stride, *[1] * (depth - 1)]
        ending = f"c{width}{f'_se{squeeze}' if squeeze else ''}_n{activation}"
        pairs = zip(places, strides, strict=True)
        stages.append([f"ir_r1_k{kernels[place]}_s{step}_e{expansions[place]}_{ending}" for place, step in pairs])
    return mobilenetv3.MobileNetV3(
        mobilenetv3.decode_arch_def([*stages, ["cn_r1_k1_s1_c960_nhs"]]),
        stem_size=16,
        fix_stem=True,
        num_features=1280,
        head_bias=False,
        act_layer=torch.nn.Hardswish,
        se_layer=partial(
            mobilenetv3.SqueezeExcite,
            gate_layer="hard_sigmoid",
            force_act_layer=torch.nn.ReLU,
            rd_round_fn=mobilenetv3.round_channels,
        ),
    )


@pytest.mark.parametrize("seed", range(3))
def test_subnets_of_once_for_all_are_decoded_exactly(seed):
    """A published subnet has a kernel size and an expansion for each of 20 places, and a depth for each of 5 stages."""
    rng, space = Random(seed), shipped("ofa_mbv3_imagenet")
    kernels, expansions = rng.choices([3, 5, 7], k=20), rng.choices([3, 4, 6], k=20)
    depths = rng.choices([2, 3, 4], k=5)
    decisions = []
    for place, decision in enumerate(space.decisions[:-1]):
        option = f"op=mbconv kernel_size={kernels[place]} expand_ratio={expansions[place]}"
        decisions.append(decision.options.index(option if place % 4 < depths[place // 4] else "op=zero"))
    compare_logits(space.decode((*decisions, 0)), timm_of_once_for_all(kernels, expansions, depths))
