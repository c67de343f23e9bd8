"""Measurements of a supernet's active subnet, for comparisons with the stand-alone network."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def gradients(supernet):
    """Return the gradients of the active subnet, with the names and shapes of the stand-alone network."""
    weights = {parameter: parameter.data for parameter in supernet.parameters() if parameter.grad is not None}
    for parameter in weights:
        parameter.data = parameter.grad
    gradients_by_name = dict(supernet.get_active_subnet().named_parameters())
    for parameter, data in weights.items():
        parameter.data = data
    return gradients_by_name


def measured(network, in_channels=3, size=32):
    """Return parameters and executed MACs of a network as torch counts them."""
    counter = FlopCounterMode(display=False)
    device = next(network.parameters()).device
    with counter, torch.no_grad():
        network.eval()(torch.empty(1, in_channels, size, size, device=device))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2
