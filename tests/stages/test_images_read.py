"""Which images every stage uses, for what and how often: the stages run on images that show their own row number.

A test writes the order of uses as text: w is a batch that weights are trained on, s one for BatchNorm statistics, d one
for a step of the architecture distribution, and e one for scores. 50 val images are two batches of scores: ee.
"""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from marked_images import (
    CLASSES,
    DISTRIBUTION,
    SCORES,
    STATISTICS,
    TEST_COUNT,
    TRAIN_COUNT,
    WEIGHTS,
    Seen,
    prepare_marked,
    record_images,
)
from nasmake.core.files import read_csv, write_json
from nasmake.core.records import COMPLETE
from nasmake.costs.table import with_costs
from nasmake.data.splits import split_train_val
from nasmake.search_spaces import Architecture
from nasmake.stages.retrain import retrain
from nasmake.stages.retrain_final import retrain_final
from nasmake.stages.search_architecture import search_architecture
from nasmake.stages.search_supernet import search_supernet
from nasmake.stages.train_supernet import train_supernet
from small_jobs import CHEAPEST, make_job
from small_spaces import shipped

SEED, VAL_COUNT, EPOCHS, SCORE_BATCH = 42, 50, 2, 40
TRAIN, VAL = (set(rows.tolist()) for rows in split_train_val(np.arange(TRAIN_COUNT) % CLASSES, VAL_COUNT, SEED))
ALL = TRAIN | VAL
CANDIDATE = "ss" + "ee"
UNCALIBRATED = "ee"  # the best of an epoch is also scored with the statistics that training left
COMMON = {
    "nas__seed": SEED,
    "dataset__num_data_architecture_search": VAL_COUNT,
    "search__batch_size": SCORE_BATCH,
    "search__recalibration_images": 2 * SCORE_BATCH,
    "search__random_baseline": False,
}
STAGES = {
    "train_supernet": train_supernet,
    "search_architecture": search_architecture,
    "search_supernet": search_supernet,
    "retrain": retrain,
    "retrain_final": retrain_final,
}
# Of 100 train images a batch of 50 leaves none out of an epoch, and one of 40 leaves out 20.
every_batch_size = pytest.mark.parametrize("batch_size", [50, 40])


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    return prepare_marked(tmp_path_factory.mktemp("marked") / "digits")


@pytest.fixture
def seen(marked, monkeypatch):
    return record_images(monkeypatch, marked)


def run(stage, unit, marked, **changes):
    STAGES[stage](make_job(stage, unit, marked, **COMMON | changes))


def uses(seen):
    return "".join(batch.use for batch in seen)


def of_use(seen, use):
    return [batch for batch in seen if batch.use == use]


def assert_trained_on(batches, images, batch_size, epochs):
    """Every epoch has each of the images once, except those that do not fill a batch, in an order of its own."""
    steps = len(images) // batch_size
    assert {row for batch in batches for row in batch.rows} <= images, "weights are trained on images of another part"
    assert len(batches) == epochs * steps, "an epoch has more or fewer steps than its images fill"
    assert {(batch.use, batch.part, len(batch.rows)) for batch in batches} == {(WEIGHTS, "train", batch_size)}
    rows = [row for batch in batches for row in batch.rows]
    orders = [tuple(rows[epoch * steps * batch_size :][: steps * batch_size]) for epoch in range(epochs)]
    for order in orders:
        assert len(set(order)) == steps * batch_size, "an image was used twice in an epoch"
    assert len(set(orders)) == epochs
    if len(images) % batch_size:
        assert len({frozenset(order) for order in orders}) == epochs, "the same images were left out of every epoch"


def scored(part, rows, batch_size=SCORE_BATCH):
    """The batches of one evaluation: all rows once, in their order."""
    ordered = sorted(rows)
    starts = range(0, len(ordered), batch_size)
    return [Seen(SCORES, part, tuple(ordered[start : start + batch_size])) for start in starts]


def assert_scored_on_val(batches):
    """Every evaluation uses all of val."""
    once = scored("train", VAL)
    assert batches == once * (len(batches) // len(once))


def assert_recalibrated_on_train(batches):
    """The BatchNorm statistics of every candidate are from the same two batches of train images."""
    rows = {row for batch in batches for row in batch.rows}
    assert {batch.part for batch in batches} == {"train"}
    assert rows <= TRAIN, "BatchNorm statistics are from images that are not train"
    assert len(rows) == 2 * SCORE_BATCH and batches == batches[:2] * (len(batches) // 2)


def assert_distribution_on_val(batches):
    """A round over 50 val images has one batch of 40; every round draws another one."""
    assert {(batch.part, len(batch.rows)) for batch in batches} == {("train", SCORE_BATCH)}
    assert all(set(batch.rows) <= VAL for batch in batches), "a step of the distribution used images that are not val"
    assert all(one.rows != other.rows for one, other in pairwise(batches))


def test_parts_are_disjoint_and_complete():
    assert len(TRAIN) == 100 and len(VAL) == VAL_COUNT and len(ALL) == TRAIN_COUNT


# Weights.


@every_batch_size
def test_supernet_training_uses_train_and_every_path_has_the_same_batch(tmp_path, marked, seen, batch_size):
    run("train_supernet", tmp_path, marked, supernet__batch_size=batch_size, supernet__paths_per_step=2)
    assert seen[::2] == seen[1::2]
    assert_trained_on(seen[::2], TRAIN, batch_size, EPOCHS)


@pytest.fixture
def unit(tmp_path):
    """A trial whose search found the cheapest network."""
    architecture = Architecture.from_decisions(tuple(CHEAPEST["decisions"]), shipped("proxyless_digits"))
    write_json(tmp_path / "architecture.json", with_costs(architecture, 1, 8) | {"state": COMPLETE})
    return tmp_path


@every_batch_size
def test_retraining_trains_on_train_and_validates_once_an_epoch_on_val(unit, marked, seen, batch_size):
    run("retrain", unit, marked, retrain__hyperparameters__batch_size=batch_size)
    validation = scored("train", VAL, batch_size)
    assert_trained_on(of_use(seen, WEIGHTS), TRAIN, batch_size, EPOCHS)
    assert of_use(seen, SCORES) == validation * EPOCHS
    assert uses(seen) == ("ww" + "e" * len(validation)) * EPOCHS


@every_batch_size
def test_final_training_trains_on_train_and_val_and_tests_once(unit, marked, seen, batch_size):
    write_json(unit / "result.json", {"state": COMPLETE, "trial": 0, "val_accuracy": 0.5, "val_loss": 1.0})
    run("retrain_final", unit, marked, retrain__hyperparameters__batch_size=batch_size)
    test = scored("test", range(TEST_COUNT), batch_size)
    assert_trained_on(of_use(seen, WEIGHTS), ALL, batch_size, EPOCHS)
    assert of_use(seen, SCORES) == test
    assert uses(seen) == "www" * EPOCHS + "e" * len(test)


# Search over a trained supernet: two epochs of three places.


@pytest.fixture(scope="module")
def trained(tmp_path_factory, marked):
    """A unit with a supernet."""
    folder = tmp_path_factory.mktemp("trained") / "trial-0000"
    run("train_supernet", folder, marked, supernet__batch_size=50)
    return folder


@pytest.fixture
def searched(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "trial-0000"))


def course(unit, steps=""):
    """The uses in two epochs of a search.

    Args:
        unit: the results. They tell how many networks were new, since none is evaluated twice.
        steps: uses of the steps of the distribution in an epoch.
    """
    first, second = read_csv(unit / "history" / "search_architecture.csv")
    evaluated, more = int(first["evaluated"]), int(second["evaluated"]) - int(first["evaluated"])
    assert 1 <= evaluated <= 3 and 0 <= more <= 3
    has_new_best = first["best_val_loss"] != second["best_val_loss"]
    return steps + CANDIDATE * evaluated + UNCALIBRATED + steps + CANDIDATE * more + UNCALIBRATED * has_new_best


@pytest.mark.parametrize("algorithm", ["evolution", "asng", "nsga2"])
def test_search_recalibrates_on_train_and_scores_on_val(searched, marked, seen, algorithm):
    changes = {"search__algorithm": algorithm, "search__samples_per_update": 3}
    run("search_architecture", searched, marked, **changes)
    assert_recalibrated_on_train(of_use(seen, STATISTICS))
    assert_scored_on_val(of_use(seen, SCORES))
    assert uses(seen) == course(searched)


def test_random_baseline_scores_on_the_same_images(searched, marked, seen):
    run("search_architecture", searched, marked, search__random_baseline=True)
    found, compared = (
        {row["decisions"] for row in read_csv(searched / "history" / f"{name}.csv")}
        for name in ("evaluations", "random_evaluations")
    )
    assert len(found) == len(compared) == 6
    assert_recalibrated_on_train(of_use(seen, STATISTICS))
    assert_scored_on_val(of_use(seen, SCORES))
    assert uses(seen) == course(searched) + CANDIDATE * len(compared - found)


def test_gate_search_takes_its_steps_on_val(searched, marked, seen):
    """Two steps in an epoch, then the evaluation of the mode."""
    run("search_architecture", searched, marked, search__algorithm="proxyless")
    assert_distribution_on_val(of_use(seen, DISTRIBUTION))
    assert_recalibrated_on_train(of_use(seen, STATISTICS))
    assert_scored_on_val(of_use(seen, SCORES))
    assert uses(seen) == course(searched, steps="dd")


# Weights and distribution in turn.


@pytest.mark.parametrize("algorithm, networks", [("asng", 2), ("reinforce", 2), ("proxyless", 1)])
def test_simultaneous_search_learns_weights_on_train_and_the_distribution_on_val(
    tmp_path, marked, seen, algorithm, networks
):
    """Four epochs of two steps; the first one, a warm-up, leaves the distribution alone."""
    epochs = 4
    simultaneous = {"nas__type": "simultaneous", "nas__num_epochs_supernet_train": epochs, "supernet__batch_size": 40}
    own = {"search__algorithm": algorithm, "search__samples_per_update": 2, "search__warmup_ratio": 0.25}
    run("search_supernet", tmp_path, marked, **simultaneous, **own)
    assert_trained_on(of_use(seen, WEIGHTS), TRAIN, 40, epochs)
    steps = of_use(seen, DISTRIBUTION)
    assert all(batch == steps[place - place % networks] for place, batch in enumerate(steps))
    assert_distribution_on_val(steps[::networks])
    assert_recalibrated_on_train(of_use(seen, STATISTICS))
    assert_scored_on_val(of_use(seen, SCORES))
    step = "w" + "d" * networks
    assert uses(seen) == "ww" + (step * 2 + UNCALIBRATED + CANDIDATE) * (epochs - 1)
