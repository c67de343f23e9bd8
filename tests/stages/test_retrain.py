"""What may be added to the retraining: cutout, a moving average of the weights, no decay of BatchNorm and biases."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from nasmake.config.retrain import Retrain
from nasmake.core.files import write_json
from nasmake.core.seeding import numpy_generator
from nasmake.data.loading.arrays import ArraySource, Augmentation
from nasmake.models.network import Network
from nasmake.search_spaces import Architecture
from nasmake.stages.retrain import Retraining, moving_average, retrain
from small_jobs import CHEAPEST, artefacts, dying_at, make_job
from small_spaces import shipped
from torch import nn

RECIPE = {"retrain__cutout_length": 3, "retrain__ema_decay": 0.9, "retrain__decay_norm_and_bias": False}
MEAN, STD = [0.4], [0.2]


@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_cutout_blanks_one_square_of_each_image(length):
    images = torch.from_numpy(np.random.default_rng(0).integers(150, 256, (9, 6, 7, 1), dtype=np.uint8))
    frame = {"mean": MEAN, "std": STD, "shuffle": True}
    whole, cut = (
        ArraySource(images, torch.arange(9), 4, (0, "test"), augment=Augmentation(cutout=edge), **frame)
        for edge in (0, length)
    )
    for step in whole:
        (before, labels), (after, same) = whole.batch(2, step), cut.batch(2, step)
        assert torch.equal(labels, same)
        generator = numpy_generator(0, "test", "cutout", 2, step)
        tops, lefts = (generator.integers(0, edge, len(labels)) - length // 2 for edge in (6, 7))
        for image, top, left in zip(before, tops, lefts, strict=True):
            image[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
        assert torch.equal(before, after) and (after == 0).any()


def test_average_follows_the_formula_and_counts_batches():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average, expected = moving_average(network, 0.5), None
    for step in range(5):
        for parameter in network.parameters():
            nn.init.constant_(parameter, float(step))
        network(torch.randn(4, 2))
        average.update_parameters(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = float(step) if expected is None else decay * expected + (1 - decay) * step
    assert average.module[0].weight[0, 0].item() == pytest.approx(expected)
    assert average.module[1].num_batches_tracked == 5
    assert not torch.equal(average.module[1].running_mean, network[1].running_mean)


@pytest.mark.parametrize("everywhere", [True, False])
def test_decay_of_norm_and_bias(everywhere):
    space = shipped("proxyless_digits")
    network = Network(Architecture.from_decisions(tuple(CHEAPEST["decisions"]), space).spec, 1)
    settings = Retrain(weight_decay=0.1, decay_norm_and_bias=everywhere)
    groups = Retraining(network, range(1), None, settings, 1, (0,)).configure_optimizers().param_groups
    decays = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert decays.keys() == set(network.parameters())
    for name, parameter in network.named_parameters():
        decays_here = everywhere or (name.endswith("weight") and parameter.ndim > 1)
        assert decays[parameter] == (0.1 if decays_here else 0.0), name


@pytest.fixture(scope="module")
def unit(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("recipe") / "trial-0000"
    cheapest = Architecture.from_decisions(tuple(CHEAPEST["decisions"]), shipped("proxyless_digits"))
    write_json(folder / "architecture.json", cheapest.to_json() | {"state": "COMPLETE"})
    return folder


def retrained(unit, digits, **changes):
    retrain(make_job("retrain", unit, digits, **changes))
    return artefacts(unit)


@pytest.mark.parametrize("key", RECIPE)
def test_each_part_changes_the_result(unit, digits, key):
    plain = retrained(unit, digits)
    assert retrained(unit, digits, **{key: RECIPE[key]})["model.safetensors"] != plain["model.safetensors"]


@pytest.mark.parametrize("wanted", [0, 3, 5, 8])
def test_terminated_at_a_step_ends_the_same(unit, digits, monkeypatch, wanted):
    whole = deepcopy(retrained(unit, digits, **RECIPE))
    for name in ("model.safetensors", "result.json", "history/retrain.csv"):
        (unit / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Retraining, "training_step", dying_at(Retraining.training_step, wanted))
        with pytest.raises(SystemExit):
            retrained(unit, digits, **RECIPE)
    assert not (unit / "result.json").exists()
    assert retrained(unit, digits, **RECIPE) == whole
