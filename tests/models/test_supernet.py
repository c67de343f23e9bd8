"""models/supernet.py, models/sliced.py and models/batchnorm.py against the stand-alone networks."""

from copy import deepcopy
from random import Random

import pytest
import torch
import torch.nn.functional as F
from nasmake.models.batchnorm import batch_statistics, fold_batchnorm, recalibrate_batchnorm
from nasmake.models.sliced import SlicedTensor
from nasmake.models.supernet import CANDIDATES, Supernet
from nasmake.search_spaces.spec import BN_MOMENTUM
from small_spaces import build, shipped, small
from subnets import gradients
from torch import nn

SPACES = {
    "proxyless_digits": shipped("proxyless_digits"),
    "mnasnet": build(small()),
    "joint": build(small(first_mbconv_filter_size=8)),
}
every_kind = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
every_sharing = pytest.mark.parametrize("sharing", [name for name in CANDIDATES if name != "elastic"])


def supernet_of(space, sharing="sliced"):
    torch.manual_seed(0)
    return Supernet(space, 3, sharing)


def images(seed=0, count=16):
    return torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed))


def loss(model):
    """Return the loss in training mode, with the same dropout in every call."""
    torch.manual_seed(5)
    return F.cross_entropy(model.train()(images()), torch.arange(16) % 5)


def test_slices_of_a_tensor():
    full = torch.arange(60.0).reshape(6, 5, 2)
    sliced = SlicedTensor(full, [2, 3, 6], [1, 5])
    for rows in (2, 3, 6):
        for columns in (1, 5):
            assert torch.equal(sliced(rows, columns), full[:rows, :columns])
    assert torch.equal(SlicedTensor(full, [2, 6])(2), full[:2])
    assert sum(parameter.numel() for parameter in sliced.parameters()) == 60


@every_kind
@every_sharing
def test_logits_and_gradients_are_those_of_the_stand_alone_network(space, sharing):
    supernet, rng = supernet_of(space, sharing), Random(0)
    for _ in range(15):
        supernet.sample_active_subnet(rng)
        network = supernet.get_active_subnet()
        supernet.zero_grad()
        ours, theirs = loss(supernet), loss(network)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        ours.backward()
        theirs.backward()
        for name, gradient in gradients(supernet).items():
            expected = network.get_parameter(name).grad
            torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4, msg=name)
        recalibrate_batchnorm(supernet, [images(1), images(2)])
        recalibrate_batchnorm(network, [images(1), images(2)])
        torch.testing.assert_close(supernet(images()), network(images()), rtol=0, atol=1e-5)


@every_kind
@every_sharing
def test_parameters_out_of_the_path_do_not_move(space, sharing):
    supernet, rng = supernet_of(space, sharing), Random(1)
    optimizer = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)
    for _ in range(6):
        supernet.sample_active_subnet(rng)
        before = [parameter.detach().clone() for parameter in supernet.parameters()]
        optimizer.zero_grad()
        loss(supernet).backward()
        optimizer.step()
        active = [parameter.grad is not None for parameter in supernet.parameters()]
        moved = [not torch.equal(old, new) for old, new in zip(before, supernet.parameters(), strict=True)]
        assert all(is_active for has_moved, is_active in zip(moved, active, strict=True) if has_moved)
        assert sum(moved) > sum(active) / 2
        size = sum(p.numel() for p, is_active in zip(supernet.parameters(), active, strict=True) if is_active)
        assert size == sum(parameter.numel() for parameter in supernet.get_active_subnet().parameters())


def test_what_is_shared_and_what_is_not():
    space = shipped("proxyless_digits")
    supernet = supernet_of(space)
    choices = [dict(choice) for choice in space.decisions[0].choices]

    def depthwise(**wanted):
        index = next(i for i, choice in enumerate(choices) if wanted.items() <= choice.items())
        supernet.set_active_subnet((index, 0, 0, 0, 0, 0))
        return supernet.get_active_subnet().blocks[1][0].depthwise.conv.weight

    narrow, wide = depthwise(kernel_size=3, expand_ratio=3), depthwise(kernel_size=3, expand_ratio=6)
    assert torch.equal(narrow, wide[: len(narrow)])
    assert not torch.equal(narrow, depthwise(kernel_size=5, expand_ratio=3)[..., 1:4, 1:4])


def test_separate_weights_share_nothing_but_the_ends():
    space = shipped("proxyless_digits")
    supernet = supernet_of(space, "separate")
    layers = [name for name, _ in supernet.named_modules() if name.startswith("blocks.0.0.") and name.count(".") == 3]
    assert len(layers) == len(space.decisions[0].choices)
    first, second = (0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)  # they differ in the expansion ratio of block 0
    supernet.set_active_subnet(first)
    loss(supernet).backward()
    supernet.set_active_subnet(second)
    with_gradient = {name for name, parameter in supernet.named_parameters() if parameter.grad is not None}
    in_block = {id(parameter) for layer in supernet.path[0] for parameter in layer.parameters()}
    assert in_block
    assert not {name for name, parameter in supernet.named_parameters() if id(parameter) in in_block} & with_gradient
    assert {"stem.conv.weight", "classifier.weight"} <= with_gradient


def test_elastic_kernels_are_transformed_centres_of_the_largest_one():
    """Section 3.3 of once-for-all: 7x7 to 5x5 to 3x3, each step with a matrix of its own."""
    space = build(small(kernel_size=[3, 5, 7], first_mbconv_filter_size=8))
    supernet, rng = supernet_of(space, "elastic"), Random(0)
    with torch.no_grad():
        for name, matrix in supernet.named_parameters():
            if ".transforms." in name:
                torch.nn.init.normal_(matrix, std=0.2)
    for _ in range(8):
        supernet.sample_active_subnet(rng)
        network = supernet.get_active_subnet()
        torch.testing.assert_close(loss(supernet), loss(network), rtol=0, atol=1e-5)
    kernels = {}
    for index, choice in enumerate(space.decisions[0].choices):
        if choice["op"] == "sepconv" and choice["width"] == space.blocks[0].width[-1]:
            supernet.set_active_subnet((index, *[0] * (len(space.decisions) - 1)))
            kernels.setdefault(choice["kernel_size"], supernet.path[0][0].depthwise.active_state()["conv.weight"])
    matrices = supernet.path[0][0].depthwise.transforms
    for large, small_ in ((7, 5), (5, 3)):
        centre = kernels[large][..., 1:-1, 1:-1].flatten(1)
        expected = torch.einsum("oi,ci->co", matrices[f"to_{small_}"], centre)
        torch.testing.assert_close(kernels[small_].flatten(1), expected)


def test_layer_counts_share_positions():
    supernet = supernet_of(build(small()))
    deep, shallow = [0] * 21, [0] * 21
    deep[14] = 1
    states = []
    for vector in (deep, shallow):
        supernet.set_active_subnet(tuple(vector))
        states.append(supernet.get_active_subnet().state_dict())
    assert len(states[0]) > len(states[1])
    assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())


@every_kind
def test_extracting_draws_nothing_and_shares_no_memory(space):
    supernet = supernet_of(space)
    supernet.sample_active_subnet(Random(0))
    state = torch.get_rng_state()
    network = supernet.get_active_subnet()
    assert torch.equal(torch.get_rng_state(), state)
    kept = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    for tensor in network.state_dict().values():
        tensor.zero_()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in supernet.state_dict().items())
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())


@every_kind
def test_sampling_follows_the_seed_and_is_set(space):
    supernet = supernet_of(space)
    decisions = supernet.sample_active_subnet(Random(3))
    assert decisions == space.sample(Random(3))
    assert supernet.spec == space.decode(decisions)


def test_all_zero_network_trains():
    supernet = supernet_of(build(small(first_mbconv_filter_size=8, strides=[1, 1, 1], base_filter_size=[8, 8, 8])))
    supernet.set_active_subnet((0, 0, 0))
    assert [len(block) for block in supernet.spec.blocks[1:]] == [1, 0, 0]
    loss(supernet).backward()
    recalibrate_batchnorm(supernet, [images()])
    assert supernet(images()).isfinite().all()


def test_images_of_one_pixel():
    supernet = supernet_of(build(small()))
    assert supernet.eval()(torch.randn(2, 3, 1, 1)).shape == (2, 5)


@every_kind
def test_state_round_trip_and_copy(space):
    supernet, other = supernet_of(space), Supernet(space, 3)
    other.load_state_dict(supernet.state_dict())
    for model in (supernet, other, copied := deepcopy(supernet)):
        model.set_active_subnet(space.sample(Random(4)))
    assert torch.equal(supernet.eval()(images()), other.eval()(images()))
    assert torch.equal(supernet(images()), copied.eval()(images()))


def test_recalibration_is_the_mean_over_batches():
    model = supernet_of(SPACES["mnasnet"]).get_active_subnet()
    model.stem.bn.running_mean.fill_(float("nan"))  # as after a training that diverged
    batches = [images(1), images(2), images(3)]
    recalibrate_batchnorm(model, iter(batches))
    with torch.no_grad():
        outputs = [model.stem.conv(batch).transpose(0, 1).flatten(1) for batch in batches]
    torch.testing.assert_close(model.stem.bn.running_mean, torch.stack([o.mean(1) for o in outputs]).mean(0))
    torch.testing.assert_close(model.stem.bn.running_var, torch.stack([o.var(1) for o in outputs]).mean(0))
    assert not any(module.training for module in model.modules())
    assert {module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == {BN_MOMENTUM}


@every_kind
def test_recalibration_changes_active_statistics_only(space):
    supernet = supernet_of(space)
    supernet.sample_active_subnet(Random(0))
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    recalibrate_batchnorm(supernet, [images()])
    active = supernet.batchnorms()
    for name, module in supernet.named_modules():
        if hasattr(module, "running_mean"):
            used = getattr(module, "active_channels", module.running_mean.numel()) if module in active else 0
            new, old = module.running_mean, before[f"{name}.running_mean"]
            assert torch.equal(new[used:], old[used:])
            assert not used or not torch.equal(new[:used], old[:used])
    parameters = dict(supernet.named_parameters())
    assert all(torch.equal(parameter, before[name]) for name, parameter in parameters.items())


def test_recalibration_does_not_depend_on_the_subnets_before():
    supernet = supernet_of(SPACES["mnasnet"])
    logits = []
    for seed in range(3):
        supernet.sample_active_subnet(Random(seed))
        loss(supernet)
        supernet.sample_active_subnet(Random(9))
        recalibrate_batchnorm(supernet, [images(1)])
        logits.append(supernet(images()))
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], logits[2])


def test_folded_networks_have_the_losses_and_the_ranking_of_networks_with_batchnorm():
    supernet, losses = supernet_of(SPACES["proxyless_digits"]), []
    nn.init.normal_(supernet.classifier.weight)  # new networks all guess alike
    shared = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    for seed in range(8):
        supernet.sample_active_subnet(Random(seed))
        network = supernet.get_active_subnet()
        recalibrate_batchnorm(network, [images(1), images(2)])
        before = F.cross_entropy(network(images()), torch.arange(16) % 10).item()
        fold_batchnorm(network)
        assert not network.batchnorms()
        losses.append((before, F.cross_entropy(network(images()), torch.arange(16) % 10).item()))
    assert [after for _, after in losses] == pytest.approx([before for before, _ in losses], rel=1e-5)
    assert sorted(range(8), key=lambda i: losses[i][0]) == sorted(range(8), key=lambda i: losses[i][1])
    assert all(torch.equal(tensor, shared[name]) for name, tensor in supernet.state_dict().items())


def test_recalibration_needs_a_batch():
    with pytest.raises(ValueError, match="no batch"):
        recalibrate_batchnorm(supernet_of(SPACES["mnasnet"]), [])


@every_kind
def test_channels_last_stays(space):
    supernet = supernet_of(space).to(memory_format=torch.channels_last).eval()
    outputs = []
    for module in supernet.modules():
        if type(module).__name__ in ("SharedConvBN", "ConvBN", "SharedLayer"):
            module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    for seed in range(3):
        supernet.sample_active_subnet(Random(seed))
        supernet(images().contiguous(memory_format=torch.channels_last))
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in outputs)


@every_kind
def test_batch_statistics_leave_no_trace(space):
    supernet = supernet_of(space).train()
    before = {name: value.clone() for name, value in supernet.state_dict().items() if "running" in name}
    with batch_statistics(supernet), torch.no_grad():
        assert torch.equal(supernet(images()), supernet(images()))  # no dropout either
    after = supernet.state_dict()
    assert supernet.training and all(torch.equal(before[name], after[name]) for name in before)
    with torch.no_grad():
        supernet(images())
    assert any(not torch.equal(before[name], after[name]) for name in before)
