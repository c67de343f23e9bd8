"""Supernet training with every sampler, on digits: gradients, memory, resume, divergence."""

import os
import signal
import weakref
from contextlib import contextmanager
from copy import deepcopy

import pytest
import torch
from nasmake.core.files import read_csv
from nasmake.core.seeding import python_random
from nasmake.engine.device import seed_torch
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.stages.train_supernet import SupernetTraining, train_supernet
from small_jobs import artefacts, make_job
from torch.nn.functional import log_softmax

SMOOTHING, PATHS = 0.1, 4
every_sampler = pytest.mark.parametrize("name", PATH_SAMPLERS)
TWO_STEPS = {"nas__num_epochs_supernet_train": 1, "supernet__batch_size": 300}
UNCLIPPED = {"supernet__gradient_clip": None, "supernet__label_smoothing": SMOOTHING, "supernet__paths_per_step": PATHS}


def train(unit, digits, name, **changes):
    train_supernet(make_job("train_supernet", unit, digits, supernet__sampler=name, **changes))
    return artefacts(unit)


@contextmanager
def around_each_step(monkeypatch, before, after):
    """Call before(module, batch_idx), then, with what it gave and with the step's output, after(module, ...)."""
    step_of = SupernetTraining.training_step

    def training_step(self, step, batch_idx):
        seen = before(self, batch_idx)
        output = step_of(self, step, batch_idx)
        after(self, seen, output)
        return output

    with monkeypatch.context() as patch:
        patch.setattr(SupernetTraining, "training_step", training_step)
        yield


def seed_key(module, what, batch_idx):
    return (module.settings.nas.seed, "train_supernet", what, module.current_epoch, batch_idx)


def drawn(module, batch_idx):
    return module.sampler.draw(python_random(*seed_key(module, "paths", batch_idx)))


def copied(module, batch_idx):
    """Weights before the step, its paths, its batch, and the seed key of its dropout."""
    batch = module.source.batch(module.current_epoch, batch_idx)
    return deepcopy(module.supernet), drawn(module, batch_idx), batch, seed_key(module, "dropout", batch_idx)


def smoothed_cross_entropy(logits, labels):
    """Written out, for what torch calls label_smoothing."""
    target = torch.full_like(logits, SMOOTHING / logits.shape[1])
    target[range(len(labels)), labels] += 1 - SMOOTHING
    return -(target * log_softmax(logits, 1)).sum(1).mean()


def reference_step(supernet, paths, images, labels, distils):
    """Every path's logits from the weights before the step, all losses at once, one backward pass."""
    logits = []
    for path in paths:
        supernet.set_active_subnet(path)
        logits.append(supernet(images))
    on_labels = [smoothed_cross_entropy(path_logits, labels) for path_logits in logits]
    losses = list(on_labels)
    if distils:
        target = logits[0].detach().softmax(1)
        losses[1:] = [-(target * log_softmax(path_logits, 1)).sum(1).mean() for path_logits in logits[1:]]
    (sum(losses) / len(losses)).backward()
    return torch.stack(on_labels).mean().item()


@every_sampler
def test_gradient_is_the_mean_over_paths_and_targets_come_from_the_weights_before_the_step(
    name, tmp_path, digits, monkeypatch
):
    compared = []

    def compare(module, seen, output):
        supernet, paths, batch, dropout = seen
        seed_torch(module.device, *dropout)
        loss = reference_step(supernet, paths, *batch, PATH_SAMPLERS[name].sampler.distils)
        assert len(paths) == (7 if name == "fair" else PATHS)
        trained = dict(module.supernet.named_parameters())
        for key, expected in supernet.named_parameters():
            assert (expected.grad is None) == (trained[key].grad is None)
            if expected.grad is not None:
                torch.testing.assert_close(trained[key].grad, expected.grad, rtol=1e-3, atol=1e-5)
        metrics = output["metrics"]
        assert metrics["count"] == len(paths) * len(batch[1])
        assert (metrics["loss"] / metrics["count"]).item() == pytest.approx(loss, rel=1e-4)
        compared.append(loss)

    with around_each_step(monkeypatch, copied, compare):
        train(tmp_path / "trial-0000", digits, name, **UNCLIPPED, **TWO_STEPS)
    assert len(compared) == 2
    rows = read_csv(tmp_path / "trial-0000" / "history" / "train_supernet.csv")
    assert float(rows[0]["train_loss"]) == pytest.approx(sum(compared) / 2, rel=1e-4)


def test_fair_step_trains_every_weight_of_the_supernet(tmp_path, digits, monkeypatch):
    """Operations, kernel sizes and expansions are all options of one decision here, and each is taken."""
    untouched = []

    def look(module, seen, output):
        untouched.append([key for key, weight in module.supernet.named_parameters() if weight.grad is None])

    with around_each_step(monkeypatch, lambda *_: None, look):
        train(tmp_path / "trial-0000", digits, "fair", **TWO_STEPS)
        fair = list(untouched)
        train(tmp_path / "trial-0001", digits, "uniform", **TWO_STEPS)
    assert fair == [[]] * 2
    assert all(untouched[2:])


@every_sampler
def test_memory_is_that_of_one_path(name, tmp_path, digits, monkeypatch):
    """What a path keeps for its backward pass is gone before the next path begins; and there is one for each."""
    kept, events = weakref.WeakSet(), []

    class Kept:
        def __init__(self, tensor):
            self.tensor = tensor
            kept.add(self)

    def forward(*_):
        events.append(("forward", len(kept)))

    def expect_backward(module, images, logits):
        logits.register_hook(backward)

    def backward(gradient):
        events.append(("backward", len(kept) > 20))

    def watch(module, batch_idx):
        handles.append(module.supernet.register_forward_pre_hook(forward))
        handles.append(module.supernet.register_forward_hook(expect_backward))
        return len(drawn(module, batch_idx))

    def judge(module, paths, output):
        assert events == [("forward", 0), ("backward", True)] * paths and paths > 1
        events.clear()
        while handles:
            handles.pop().remove()

    handles = []
    with (
        around_each_step(monkeypatch, watch, judge),
        torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor),
    ):
        train(tmp_path / "trial-0000", digits, name, supernet__paths_per_step=PATHS, **TWO_STEPS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, digits):
    """Artefacts of an uninterrupted training with each sampler."""
    folder = tmp_path_factory.mktemp("finished")
    return {name: train(folder / f"trial-{number:04d}", digits, name) for number, name in enumerate(PATH_SAMPLERS)}


def test_sampler_changes_the_weights_and_is_recorded(finished):
    weights = {name: found["supernet.safetensors"] for name, found in finished.items()}
    assert weights["asng"] == weights["uniform"]  # there is no distribution that draws otherwise
    assert len(set(weights.values())) == len(PATH_SAMPLERS) - 1
    assert [found["supernet.json"]["settings"]["sampler"] for found in finished.values()] == list(PATH_SAMPLERS)


@every_sampler
@pytest.mark.parametrize("wanted", [2, 5])  # within the first epoch, and within the second
def test_terminated_at_a_step_ends_the_same(name, wanted, finished, tmp_path, digits, monkeypatch):
    calls, unit = iter(range(100)), tmp_path / "trial-0000"

    def stop(*_):
        if next(calls) == wanted:
            os.kill(os.getpid(), signal.SIGTERM)

    with around_each_step(monkeypatch, lambda *_: None, stop), pytest.raises(SystemExit) as ended:
        train(unit, digits, name)
    assert ended.value.code == 143 and not (unit / "supernet.json").exists()
    assert train(unit, digits, name) == finished[name]


@every_sampler
def test_divergence_is_a_result(name, tmp_path, digits):
    found = train(tmp_path / "trial-0000", digits, name, supernet__lr=1e20, supernet__gradient_clip=None)
    assert found["supernet.json"]["state"] == "PRUNED"
    assert found["supernet.json"]["reason"].startswith("train_supernet: not finite in epoch")
