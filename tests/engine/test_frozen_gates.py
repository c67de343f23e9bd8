"""Steps on the architecture parameters compute no gradient of a weight."""

from random import Random

import pytest
import torch
from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.models.layers import Classifier
from nasmake.models.supernet import CANDIDATES, Supernet
from nasmake.stages.gates import gate_step
from nasmake.strategies.proxyless import ProxylessSearch
from small_spaces import shipped

SPACE = shipped("proxyless_digits")


def leaves_of(tensor):
    """The tensors without a history that autograd would compute gradients of."""
    found, known, waiting = [], set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in known:
            continue
        known.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting += [parent for parent, _ in node.next_functions]
    return found


@pytest.mark.parametrize("gates", ["two_path", "full"])
@pytest.mark.parametrize("sharing", CANDIDATES)
def test_gradients_of_a_step_are_those_of_the_gates_alone(monkeypatch, sharing, gates):
    torch.manual_seed(0)
    supernet = Supernet(SPACE, 1, sharing)
    strategy = ProxylessSearch(SPACE, CostTable(SPACE, 1, 8), Search(algorithm="proxyless", gates=gates))
    forward, logits = Classifier.forward, []

    def recording(self, x):
        logits.append(forward(self, x))
        return logits[-1]

    monkeypatch.setattr(Classifier, "forward", recording)
    weights = {id(parameter) for parameter in supernet.parameters()}
    for seed in range(3):
        gate_step(supernet, strategy, torch.randn(20, 1, 8, 8), torch.arange(20) % 10, Random(seed))
        leaves = leaves_of(logits.pop())
        assert not [leaf for leaf in leaves if id(leaf) in weights], "a weight takes part in the gradient of a step"
        assert len(leaves) == len(SPACE.decisions)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in supernet.parameters())
