from copy import deepcopy
from typing import get_args

import pytest
import torch
from nasmake.config.supernet import OPTIMIZERS, Supernet
from nasmake.engine.optimizers import build_optimizer, set_learning_rate

NAMES = get_args(OPTIMIZERS)
COMMON = {"lr": 0.01, "weight_decay": 0.02}
# Of every optimizer: its class in torch, what it gets, and the hyperparameters it reads.
EXPECTED = {
    "MomentumSGD": (torch.optim.SGD, {"momentum": 0.8, "dampening": 0.3, "nesterov": False}, {"momentum", "dampening"}),
    "NAG": (torch.optim.SGD, {"momentum": 0.8, "dampening": 0, "nesterov": True}, {"momentum"}),
    "RMSprop": (torch.optim.RMSprop, {"momentum": 0.8, "alpha": 0.7, "eps": 1e-4}, {"momentum", "smoothing", "eps"}),
    "Adam": (torch.optim.Adam, {"betas": (0.6, 0.95), "eps": 1e-4, "amsgrad": False}, {"beta1", "beta2", "eps"}),
    "AMSGrad": (torch.optim.Adam, {"betas": (0.6, 0.95), "eps": 1e-4, "amsgrad": True}, {"beta1", "beta2", "eps"}),
    "NAdam": (
        torch.optim.NAdam,
        {"betas": (0.6, 0.95), "eps": 1e-4, "momentum_decay": 0.005},
        {"beta1", "beta2", "eps", "momentum_decay"},
    ),
    "AdamW": (torch.optim.AdamW, {"betas": (0.6, 0.95), "eps": 1e-4}, {"beta1", "beta2", "eps"}),
}
VALUES = {
    "momentum": 0.8,
    "dampening": 0.3,
    "smoothing": 0.7,
    "beta1": 0.6,
    "beta2": 0.95,
    "eps": 1e-4,
    "momentum_decay": 0.005,
}
every_optimizer = pytest.mark.parametrize("name", NAMES)


def trained(name, steps=5, **changes):
    """What a weight is after a few steps of a fixed problem."""
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    optimizer = build_optimizer(Supernet(optimizer=name, **(COMMON | VALUES | changes)), [weight])
    for step in range(steps):
        optimizer.zero_grad()
        ((weight - step) ** 2 * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        optimizer.step()
    return weight.tolist()


def test_all_are_here():
    assert EXPECTED.keys() == set(NAMES)


@every_optimizer
def test_class_and_hyperparameters(name):
    kind, options, _ = EXPECTED[name]
    optimizer = build_optimizer(Supernet(optimizer=name, **COMMON, **VALUES), [torch.nn.Parameter(torch.ones(1))])
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert {key: group[key] for key in options | COMMON} == options | COMMON


@every_optimizer
def test_reads_its_own_hyperparameters_only(name):
    base = trained(name)
    for key, value in VALUES.items():
        other = 0.001 if key in ("eps", "momentum_decay") else value / 2
        assert (trained(name, **{key: other}) != base) == (key in EXPECTED[name][2]), key


@every_optimizer
@pytest.mark.parametrize(
    "extreme",
    [
        {"momentum": 0.0},
        {"momentum": 1.0, "dampening": 1.0},
        {"beta1": 0.0, "beta2": 0.0},
        {"beta1": 1.0, "beta2": 1.0},
        {"smoothing": 0.0},
        {"smoothing": 1.0},
        {"weight_decay": 0.0},
        {"weight_decay": 1.0},
        {"momentum_decay": 1.0},
        {"eps": 1e-12},
    ],
    ids=str,
)
def test_ends_of_the_predecessors_ranges_are_accepted(name, extreme):
    assert all(value == value for value in trained(name, **extreme))  # no NaN


def test_learning_rate_is_written_into_every_group():
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@every_optimizer
def test_state_survives_a_checkpoint(name):
    settings = Supernet(optimizer=name, **COMMON, **VALUES)

    def step(optimizer, weight):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()

    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = build_optimizer(settings, [weight])
    step(optimizer, weight)
    copy = torch.nn.Parameter(weight.detach().clone())
    resumed = build_optimizer(settings, [copy])
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    step(optimizer, weight)
    step(resumed, copy)
    assert torch.equal(weight, copy)
