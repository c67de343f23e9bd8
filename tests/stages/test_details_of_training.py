"""Details of training that no loss curve shows: dropout in every step, label smoothing, the limit of the pruner."""

import math
from dataclasses import replace

import pytest
import torch
from marked_images import prepare_marked
from nasmake.core.files import read_json, write_json
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.costs.table import with_costs
from nasmake.engine.splits import Splits
from nasmake.engine.weights import read_weights
from nasmake.models.layers import Classifier
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture
from nasmake.stages.retrain import retrain
from nasmake.stages.retrain_final import retrain_final
from nasmake.stages.search_supernet import search_supernet
from nasmake.stages.train_supernet import train_supernet
from small_jobs import CHEAPEST, make_job
from small_spaces import shipped


@pytest.fixture
def unit(tmp_path):
    """A trial whose search found the cheapest network."""
    architecture = Architecture.from_decisions(tuple(CHEAPEST["decisions"]), shipped("proxyless_digits"))
    write_json(tmp_path / "architecture.json", with_costs(architecture, 1, 8) | {"state": COMPLETE})
    write_json(tmp_path / "result.json", {"state": COMPLETE, "trial": 0, "val_accuracy": 0.5, "val_loss": 1.0})
    return tmp_path


# Dropout.


@pytest.fixture
def masks(monkeypatch):
    """What dropout would keep of 64 values, in every training step."""
    forward, drawn = Classifier.forward, []

    def recording(self, x):
        if self.training:
            with torch.random.fork_rng(devices=[]):
                kept = torch.nn.functional.dropout(torch.ones(64), 0.5) > 0
            drawn.append(tuple(kept.tolist()))
        return forward(self, x)

    monkeypatch.setattr(Classifier, "forward", recording)
    return drawn


STAGES = {
    "train_supernet": train_supernet,
    "search_supernet": search_supernet,
    "retrain": retrain,
    "retrain_final": retrain_final,
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_step_of_every_epoch_has_dropout_of_its_own(unit, tmp_path_factory, masks, stage):
    """Three epochs over 100 train images, or 150 of train and val, in batches of 50."""
    marked = prepare_marked(tmp_path_factory.mktemp("marked") / "digits")
    sizes = {"supernet__batch_size": 50, "retrain__hyperparameters__batch_size": 50, "search__batch_size": 50}
    changes = {"nas__num_epochs_supernet_train": 3, "nas__num_epochs_retrain": 3}
    if stage == "search_supernet":
        changes |= {"nas__type": "simultaneous", "search__random_baseline": False}
    STAGES[stage](make_job(stage, unit, marked, dataset__num_data_architecture_search=50, **sizes, **changes))
    assert len(masks) == (9 if stage == "retrain_final" else 6)
    assert len(set(masks)) == len(masks), "two steps share their dropout"


# Label smoothing.


SMOOTHING = 0.5
LEARNING = {"retrain__hyperparameters__batch_size": 20, "retrain__hyperparameters__base_lr": 0.1}


def assert_loss_on_hard_labels(loss, unit, digits, file, part):
    """Compare `loss` with that of saved weights, written out; it must be far from the loss on smoothed labels."""
    spec = Architecture.from_json(read_json(unit / "architecture.json"), "architecture.json").spec
    network = Network(spec, 1).eval()
    network.load_state_dict(read_weights(unit / file))
    parts = Splits.open(digits, make_job("retrain", unit, digits).settings, torch.device("cpu"))
    images, labels = parts.evaluation(part, 600).batch(0, 0)
    with torch.no_grad():
        logits = network(images).double()
    logs = logits - logits.exp().sum(1, keepdim=True).log()
    hard = -logs[range(len(labels)), labels].mean().item()
    smooth = (1 - SMOOTHING) * hard - SMOOTHING * logs.mean().item()
    assert abs(smooth - hard) > 0.05, "the network is too uncertain for this test"
    assert loss == pytest.approx(hard, abs=1e-4), "the loss is not the cross entropy on hard labels"


def test_label_smoothing_is_left_out_of_validation(unit, digits):
    retrain(make_job("retrain", unit, digits, retrain__label_smoothing=SMOOTHING, **LEARNING))
    loss = read_json(unit / "result.json")["val_loss"]
    assert_loss_on_hard_labels(loss, unit, digits, "model.safetensors", "val")


def test_label_smoothing_is_left_out_of_the_test(unit, digits):
    retrain_final(make_job("retrain_final", unit, digits, retrain__label_smoothing=SMOOTHING, **LEARNING))
    loss = read_json(unit / "final.json")["test_loss"]
    assert_loss_on_hard_labels(loss, unit, digits, "final.safetensors", "test")


# The limit of the pruner.


def retrained(unit, digits, limits):
    """Result of three epochs, whose val accuracies are the same under any limits."""
    retrain(replace(make_job("retrain", unit, digits, nas__num_epochs_retrain=3), prune_below=limits))
    return read_json(unit / "result.json")


def test_accuracy_equal_to_the_limit_is_not_pruned_and_the_next_smaller_one_is(unit, digits):
    curve = retrained(unit, digits, [])["val_accuracies"]
    assert len(curve) == 3 and all(0 < accuracy < 1 for accuracy in curve)
    equal = retrained(unit, digits, curve)
    assert (equal["state"], equal["val_accuracies"]) == (COMPLETE, curve), "an accuracy equal to the limit was pruned"
    above = retrained(unit, digits, [curve[0], math.nextafter(curve[1], 1), curve[2]])
    assert (above["state"], above["val_accuracies"]) == (PRUNED, curve[:2])
