"""A step of retraining never lets the host wait for a GPU; the meta device stands in for one.

Reading a number from the device waits, and so does a copy to the device that is not asynchronous.
"""

import torch
from nasmake.config.retrain import Retrain
from nasmake.data.loading.arrays import ArraySource, Augmentation
from nasmake.models.network import Network
from nasmake.stages.retrain import Retraining
from small_spaces import shipped
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

SPACE = shipped("proxyless_digits")


class WaitingOperations(TorchDispatchMode):
    """Names the operations that wait."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, options = function.overloadpacket.__name__, kwargs or {}
        is_on_host = any(isinstance(value, torch.Tensor) and value.device.type == "cpu" for value in args)
        is_copy = name == "_to_copy" and is_on_host and not options.get("non_blocking")
        if name == "_local_scalar_dense" or (is_copy and not is_of_cpu(options)):
            self.found.append(name)
        return function(*args, **options)


class WaitingConstants(TorchFunctionMode):
    """Names the calls that copy numbers of Python to the device, which torch does out of sight of a dispatch mode."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.tensor, torch.as_tensor) and not is_of_cpu(kwargs or {}):
            self.found.append(function.__name__)
        return function(*args, **kwargs or {})


def is_of_cpu(options):
    return torch.device(options.get("device") or "cpu").type == "cpu"


def test_stand_in_notices_what_waits():
    with WaitingOperations() as operations, WaitingConstants() as constants:
        torch.zeros(2).to("meta")
        torch.tensor(1.0, device="meta")
        torch.full((), 1.0, device="meta")
        torch.zeros(2).to("meta", non_blocking=True)
    assert (operations.found, constants.found) == (["_to_copy"], ["tensor"])


def test_a_training_step_waits_nowhere():
    images, labels = torch.zeros(8, 8, 8, 1, dtype=torch.uint8), torch.zeros(8, dtype=torch.int64)
    augment = Augmentation(pad=1, flip=True, cutout=3)
    options = {"mean": [0.5], "std": [0.25], "shuffle": True, "augment": augment}
    source = ArraySource(images.to("meta"), labels.to("meta"), 4, (0, "test"), **options)
    source.batch(0, 0)  # the order of an epoch is drawn and copied at its first step
    network = Network(SPACE.decode((0,) * len(SPACE.decisions)), 1).to("meta")
    module = Retraining(network, source, None, Retrain(), 1, (0, "test"))
    optimizer = module.configure_optimizers()
    with WaitingOperations() as operations, WaitingConstants() as constants:
        outputs = module.training_step(1, 1)
        outputs["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    assert (operations.found, constants.found) == ([], [])
    assert set(outputs["metrics"]) == {"loss", "accuracy", "count"}
