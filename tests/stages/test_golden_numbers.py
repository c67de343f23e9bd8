"""Numbers of short runs on the CPU, as they were when they were last checked: they guard what the settings mean.

No other test tells apart two recipes that both learn. A change on purpose, such as a new default, changes the numbers
here. Then raise STAGE_VERSION of the stage, so that old results are made again, and copy the new numbers from the
message of the failed assertion. Numbers of runs differ between machines by rounding, far below the tolerance.
"""

import random
import time
from dataclasses import replace

import pytest
import torch
from nasmake.config.search import Search
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.core.records import COMPLETE
from nasmake.costs.table import CostTable, with_costs
from nasmake.data.loading.arrays import ArraySource
from nasmake.data.prepared import Split, write_prepared
from nasmake.data.preparing.digits import make_digits
from nasmake.engine.splits import Splits
from nasmake.models.supernet import Supernet
from nasmake.search_spaces import Architecture
from nasmake.stages.gates import gate_step
from nasmake.stages.retrain import retrain
from nasmake.stages.retrain_final import retrain_final
from nasmake.stages.search_architecture import search_architecture
from nasmake.stages.search_supernet import distribution_step
from nasmake.stages.train_supernet import train_supernet
from nasmake.strategies import make_strategy
from nasmake.strategies.asng import ASNG
from small_jobs import make_job
from small_spaces import build, content

TOLERANCE = 1e-4
# Without dropout, whose random numbers are from MKL where torch has it, and others on other machines.
WITHOUT_DROPOUT = content("proxyless_digits")
WITHOUT_DROPOUT["settings"]["dropout"] = 0.0
SPACE = build(WITHOUT_DROPOUT, "proxyless_digits")
NETWORK = (1, 2, 3, 0, 5, 6)


@pytest.fixture(autouse=True)
def double_precision(monkeypatch):
    """Networks and images in float64: training amplifies the rounding of float32, which differs between machines."""
    batch_of = ArraySource.batch

    def batch(self, *place):
        images, labels = batch_of(self, *place)
        return images.double(), labels

    monkeypatch.setattr(ArraySource, "batch", batch)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def approx(numbers):
    return pytest.approx(numbers, abs=TOLERANCE)


def column(unit, history, *names):
    """Columns of a history file, one list after another."""
    rows = read_csv(unit / "history" / f"{history}.csv")
    return [float(row[name]) for name in names for row in rows]


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """The first digits: 160 to train on, 80 of val, 60 of test."""
    whole = make_digits({})
    train, test = (Split(part.images[:n], part.labels[:n]) for part, n in ((whole.train, 240), (whole.test, 60)))
    folder = tmp_path_factory.mktemp("few") / "digits"
    write_prepared(folder, "digits", whole._replace(train=train, test=test), time.time())
    return folder


def job(stage, unit, dataset, **changes):
    """Two epochs of eight steps, so large that the losses leave that of guessing, which is 2.3026."""
    common = {"dataset__num_data_architecture_search": 80, "search__batch_size": 40}
    common |= {"search__recalibration_images": 80, "search__random_baseline": False}
    common |= {"supernet__lr": 0.03, "supernet__batch_size": 20}
    common |= {"retrain__hyperparameters__base_lr": 0.1, "retrain__hyperparameters__batch_size": 20}
    made = make_job(stage, unit, dataset, **common | changes)
    space = made.search_space and {"name": "proxyless_digits", "content": WITHOUT_DROPOUT}
    return replace(made, search_space=space)


# Stages.


@pytest.mark.parametrize(
    "sharing, losses",
    [
        ("sliced", [2.32909, 2.30502]),
        ("separate", [2.33003, 2.30626]),
    ],
)
def test_losses_of_supernet_training(tmp_path, few_digits, sharing, losses):
    train_supernet(job("train_supernet", tmp_path, few_digits, supernet__weight_sharing=sharing))
    assert column(tmp_path, "train_supernet", "train_loss") == approx(losses)


def test_losses_of_supernet_training_with_the_sandwich_rule(tmp_path, few_digits):
    short = {"nas__num_epochs_supernet_train": 1, "supernet__batch_size": 40}
    train_supernet(job("train_supernet", tmp_path, few_digits, supernet__sampler="sandwich", **short))
    assert column(tmp_path, "train_supernet", "train_loss") == approx([2.30512])


def test_scores_of_search(tmp_path, few_digits):
    train_supernet(job("train_supernet", tmp_path, few_digits))
    search_architecture(job("search_architecture", tmp_path, few_digits))
    assert column(tmp_path, "evaluations", "val_loss") == approx([2.30652, 2.30223, 2.28384, 2.29329, 2.2866, 2.28665])
    columns = ("val_loss", "val_accuracy", "uncalibrated_val_accuracy")
    assert column(tmp_path, "search_architecture", *columns) == approx(
        [2.29753, 2.28885, 0.13333, 0.12083, 0.1125, 0.1125]
    )


@pytest.fixture
def unit(tmp_path):
    """A trial whose search found a network with a vanished block and all kinds of others."""
    architecture = Architecture.from_decisions(NETWORK, SPACE)
    write_json(tmp_path / "architecture.json", with_costs(architecture, 1, 8) | {"state": COMPLETE})
    write_json(tmp_path / "result.json", {"state": COMPLETE, "trial": 0, "val_accuracy": 0.5, "val_loss": 1.0})
    return tmp_path


def test_losses_of_retraining(unit, few_digits):
    retrain(job("retrain", unit, few_digits))
    assert column(unit, "retrain", "train_loss", "val_loss") == approx([2.32259, 2.09984, 2.31836, 2.32065])


def test_losses_of_retraining_with_all_that_is_off_by_default(unit, few_digits):
    changes = {"cutout_length": 3, "ema_decay": 0.9, "decay_norm_and_bias": False, "weight_decay": 0.1}
    retrain(job("retrain", unit, few_digits, **{f"retrain__{name}": value for name, value in changes.items()}))
    assert column(unit, "retrain", "train_loss", "val_loss") == approx([2.331, 2.25236, 2.30511, 2.30599])


def test_losses_of_final_training(unit, few_digits):
    retrain_final(job("retrain_final", unit, few_digits))
    assert column(unit, "retrain_final", "train_loss") == approx([2.29351, 1.89041])
    assert read_json(unit / "final.json")["test_loss"] == approx(2.14162)


# Steps of a distribution.


@pytest.mark.parametrize(
    "options, theta, adaptation",
    [
        (
            {},
            [0.35094, 0.16667, 0.48239, 0.66667, 0.33333, 0.11111, 0.57872, 0.19906, 0.11111],
            [1.41702, 0.9384, 0.78686],
        ),
        (
            {"epsilon": 0.3, "costs": [[1, 2, 3], [5, 1], [2, 2, 4, 1]]},
            [0.39939, 0.16667, 0.43394, 0.66667, 0.33333, 0.11582, 0.62331, 0.14029, 0.12058],
            [1.49078, 0.93737, 0.61867],
        ),
    ],
)
def test_steps_of_asng(options, theta, adaptation):
    """Three updates from made-up losses, with and without a cost."""
    asng = ASNG([3, 2, 4], **options)
    for losses in ([0.3, 0.1, 0.4, 0.2], [1.0, 2.0, 2.0, 3.0], [0.5, 0.1, 0.2, 0.3]):
        asng.update([[0, 1, 2], [2, 0, 1], [1, 1, 0], [2, 1, 3]], losses)
    assert asng.theta[asng.theta > 0].tolist() == approx(theta)
    assert [asng.Delta, asng.gamma, asng.s @ asng.s] == approx(adaptation)


def assert_steps(dataset, algorithm, step, expected, sharing="sliced", **options):
    """Compare two steps on batches of val.

    Args:
        dataset: folder of the prepared data set.
        algorithm: of the search.
        step: distribution_step or gate_step.
        expected: mean loss of the second step; the probabilities of the first two decisions after it.
        sharing: of the weights of the supernet.
        options: further settings of the search.
    """
    torch.manual_seed(0)
    supernet = Supernet(SPACE, 1, sharing)
    torch.nn.init.normal_(supernet.classifier.weight, std=0.3)  # fresh networks all guess alike
    settings = Search(algorithm=algorithm, samples_per_update=4, policy_lr=0.1, architecture_lr=0.1, **options)
    strategy = make_strategy(SPACE, CostTable(SPACE, 1, 8), settings)
    parts = Splits.open(dataset, job("retrain", dataset, dataset).settings, torch.device("cpu"))
    source = parts.shuffled("val", 40, "golden")
    for number in range(2):
        sums = step(supernet, strategy, *source.batch(0, number), random.Random(number))
    loss, first, second = expected
    assert (sums["loss"] / sums["count"]).item() == approx(loss)
    assert strategy.probabilities()[0] == approx(first)
    assert strategy.probabilities()[1] == approx(second)


ASNG_STEPS = (
    3.06249,
    [0.03554, 0.16667, 0.16667, 0.16667, 0.41102, 0.05344],
    [0.27399, 0.14286, 0.14286, 0.14286, 0.14286, 0.02963, 0.12496],
)
REINFORCE_STEPS = (
    3.21404,
    [0.14556, 0.15171, 0.16767, 0.19313, 0.18645, 0.15547],
    [0.1632, 0.14168, 0.1282, 0.14168, 0.14168, 0.14199, 0.14155],
)
TWO_PATH_STEPS = (
    3.20366,
    [0.16667, 0.18328, 0.16667, 0.16667, 0.14452, 0.1722],
    [0.14286, 0.16292, 0.12862, 0.14286, 0.14286, 0.12279, 0.1571],
)
FULL_STEPS = (
    3.20748,
    [0.16223, 0.16479, 0.14913, 0.19082, 0.17557, 0.15746],
    [0.16996, 0.11603, 0.11574, 0.11473, 0.18045, 0.15216, 0.15092],
)
FULL_SEPARATE_STEPS = (
    2.70898,
    [0.16984, 0.16264, 0.14588, 0.17847, 0.16759, 0.17558],
    [0.14915, 0.11385, 0.17893, 0.11728, 0.18163, 0.13774, 0.12142],
)


@pytest.mark.parametrize("algorithm, expected", [("asng", ASNG_STEPS), ("reinforce", REINFORCE_STEPS)])
def test_steps_of_a_distribution(few_digits, algorithm, expected):
    assert_steps(few_digits, algorithm, distribution_step, expected)


@pytest.mark.parametrize(
    "gates, sharing, expected",
    [
        ("two_path", "sliced", TWO_PATH_STEPS),
        ("full", "sliced", FULL_STEPS),
        ("full", "separate", FULL_SEPARATE_STEPS),
    ],
)
def test_steps_of_gates(few_digits, gates, sharing, expected):
    cost = {"loss": "linear", "metric": "macs", "target": 500_000, "weight": 0.2}
    assert_steps(few_digits, "proxyless", gate_step, expected, sharing, gates=gates, expected_cost=cost)
