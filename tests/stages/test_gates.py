"""Steps on the architecture parameters of a small supernet, against finite differences and enumerations."""

from itertools import product
from random import Random

import numpy as np
import pytest
import torch
from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.models.batchnorm import batch_statistics
from nasmake.models.supernet import CANDIDATES, Supernet
from nasmake.stages.gates import gate_step, gated_logits, open_gates
from nasmake.strategies.proxyless import Gates, ProxylessSearch, gate_gradient, softmax
from small_spaces import build, small
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

SPACE = build(
    small(
        first_mbconv_filter_size=8,
        filter_size_search_ratio=[1.0],
        layer_search_range=[0],
        base_layer_num=[1, 2, 1],
        conv_ops=["Zero", "MBConv"],
        expansion_ratio=[1, 2],
        skip_ops=["skip"],
        se_ratio=[0.25],
    )
)
every_sharing = pytest.mark.parametrize("sharing", CANDIDATES)


def supernet_of(sharing="sliced"):
    torch.manual_seed(0)
    supernet = Supernet(SPACE, 3, sharing).double()
    for name, parameter in supernet.named_parameters():
        if "affine" in name:
            torch.nn.init.normal_(parameter, 0.8, 0.3)
    return supernet


def batch(count=12):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=generator).double(), torch.arange(count) % 5


def strategy(gates="full", **options):
    return ProxylessSearch(SPACE, CostTable(SPACE, 3, 8), Search(algorithm="proxyless", gates=gates, **options))


def everything(active):
    return Gates(tuple(tuple(range(len(decision.choices))) for decision in SPACE.decisions), active)


def loss_of(supernet, gates, values):
    images, labels = batch()
    with batch_statistics(supernet):
        return cross_entropy(gated_logits(supernet, gates, values, images), labels)


@every_sharing
def test_with_one_hot_gates_the_supernet_computes_the_active_subnet(sharing):
    supernet = supernet_of(sharing)
    for active in product(*(range(len(decision.choices)) for decision in SPACE.decisions)):
        gates = everything(active)
        with batch_statistics(supernet), torch.no_grad():
            logits = gated_logits(supernet, gates, open_gates(gates), batch()[0])
            supernet.set_active_subnet(active)
            assert torch.equal(logits, supernet(batch()[0]))


@every_sharing
@pytest.mark.parametrize("active", [(0, 0, 0), (1, 2, 3), (3, 0, 1)])
def test_gate_gradients_are_finite_differences_of_the_loss(sharing, active):
    """Zero (index 0 of the second block) has one as any option has, open or not."""
    supernet, gates = supernet_of(sharing), everything(active)
    values = [value.detach().double().requires_grad_() for value in open_gates(gates)]
    gradients = torch.autograd.grad(loss_of(supernet, gates, values), values)
    for index, gradient in enumerate(gradients):
        for option in range(len(gradient)):
            losses = []
            for step in (1e-7, -1e-7):  # ReLUs have kinks: a larger step meets some
                moved = [value.detach().clone() for value in values]
                moved[index][option] += step
                with torch.no_grad():
                    losses.append(loss_of(supernet, gates, moved).item())
            assert gradient[option].item() == pytest.approx((losses[0] - losses[1]) / 2e-7, abs=1e-7)
            assert gradient[option] != 0


def test_step_with_all_gates_is_an_unbiased_one_of_a_loss_that_is_linear_in_the_gates(monkeypatch):
    """Mean over enumerated networks of what a step sees = gradient of the expected loss by the alphas.

    Gate gradients are a linearisation at one network, so the loss here is the linear part of the real one.
    """
    supernet, proxyless = supernet_of(), strategy()
    networks = [*product(*(range(len(decision.choices)) for decision in SPACE.decisions))]
    alphas = [np.random.default_rng(index).normal(size=count) for index, count in enumerate(proxyless.categories)]
    start = everything((1, 2, 3))
    values = [value.detach().double().requires_grad_() for value in open_gates(start)]
    slopes = [gradient.numpy() for gradient in torch.autograd.grad(loss_of(supernet, start, values), values)]

    def expected(alphas):
        chances = [softmax(alpha) for alpha in alphas]
        weights = [np.prod([row[i] for row, i in zip(chances, network, strict=True)]) for network in networks]
        losses = [sum(row[i] for row, i in zip(slopes, network, strict=True)) for network in networks]
        return np.dot(weights, losses)

    for index, alpha in enumerate(alphas):
        gradient = gate_gradient(alpha, slopes[index])
        for option in range(alpha.size):
            moved = [[row.copy() for row in alphas] for _ in range(2)]
            moved[0][index][option] += 1e-5
            moved[1][index][option] -= 1e-5
            assert gradient[option] == pytest.approx((expected(moved[0]) - expected(moved[1])) / 2e-5, abs=1e-8)


@every_sharing
@pytest.mark.parametrize("gates", ["two_path", "full"])
def test_step_leaves_weights_and_statistics_alone(sharing, gates):
    supernet, proxyless = supernet_of(sharing), strategy(gates)
    before = {name: value.clone() for name, value in supernet.state_dict().items() if "tracked" not in name}
    frozen = next(supernet.parameters()).requires_grad_(False)
    for seed in range(4):
        sums = gate_step(supernet, proxyless, *batch(), Random(seed))
        assert sums["count"] == 12 and 0 <= sums["accuracy"] <= 12 and not sums["loss"].requires_grad
    assert all(torch.equal(supernet.state_dict()[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in supernet.parameters())
    assert not frozen.requires_grad and all(weight.requires_grad for weight in [*supernet.parameters()][1:])
    assert supernet.training


@pytest.mark.parametrize("gates", ["two_path", "full"])
def test_step_reports_the_active_network_and_leaves_it_active(gates):
    supernet, proxyless = supernet_of(), strategy(gates)
    drawn = strategy(gates).sample_gates(Random(5))
    sums = gate_step(supernet, proxyless, *batch(), Random(5))
    assert supernet.spec == SPACE.decode(drawn.active)
    with batch_statistics(supernet), torch.no_grad():
        logits = supernet(batch()[0])
    assert sums["loss"].item() == pytest.approx(12 * cross_entropy(logits, batch()[1]).item(), rel=1e-6)
    assert sums["accuracy"].item() == (logits.argmax(1) == batch()[1]).sum()


def test_steps_lower_the_expected_loss_over_all_networks():
    supernet, proxyless = supernet_of(), strategy("two_path", architecture_lr=0.1)
    networks = [*product(*(range(len(decision.choices)) for decision in SPACE.decisions))]
    losses = []
    with batch_statistics(supernet), torch.no_grad():
        for network in networks:
            supernet.set_active_subnet(network)
            losses.append(cross_entropy(supernet(batch()[0]), batch()[1]).item())

    def expected():
        chances = proxyless.probabilities()
        weights = [np.prod([row[i] for row, i in zip(chances, network, strict=True)]) for network in networks]
        return np.dot(weights, losses)

    before = expected()
    for seed in range(60):
        gate_step(supernet, proxyless, *batch(), Random(seed))
    assert expected() < before - 0.2 * (before - min(losses))


class Conversions(TorchFunctionMode):
    """Stands in for MPS, which has no float64: notes the order of the conversions of tensors."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, function, types, arguments=(), options=None):
        if function.__name__ in ("cpu", "double"):
            self.names.append(function.__name__)
        return function(*arguments, **(options or {}))


def test_gradients_leave_the_device_before_they_become_float64():
    supernet, (images, labels) = supernet_of().float(), batch()
    with Conversions() as conversions:
        gate_step(supernet, strategy(), images.float(), labels, Random(0))
    assert conversions.names == ["cpu", "double"]
