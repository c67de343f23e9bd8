"""The artefacts of a search beside its network: a random baseline of equal cost, probabilities, the front.

`stages.evaluator` is tested here too; test_running_stages.py and test_gate_loop.py test `stages.search_architecture`.
"""

import math
import shutil
from itertools import groupby
from pathlib import Path

import pytest
import torch
from nasmake.core.files import read_csv, read_json
from nasmake.core.pareto import hypervolume
from nasmake.costs.table import CostTable
from nasmake.engine.metrics import evaluate
from nasmake.engine.splits import Splits
from nasmake.engine.weights import read_weights
from nasmake.models.supernet import Supernet
from nasmake.pipeline.finished import forget_finished
from nasmake.stages.evaluator import LEVEL, InheritedEvaluator, loss_of_guessing
from nasmake.stages.search_architecture import ArchitectureSearch, RandomBaseline, search_architecture
from nasmake.stages.search_output import reference_of
from nasmake.stages.train_supernet import train_supernet
from small_jobs import artefacts, dying_at, make_job
from small_spaces import shipped
from torch.nn.functional import cross_entropy

SPACE = shipped("proxyless_digits")
COSTS = CostTable(SPACE, 1, 8)
NAMES = ("evaluations", "random_evaluations")
every_algorithm = pytest.mark.parametrize("algorithm", ["random", "evolution", "asng", "reinforce"])


@pytest.fixture(scope="module")
def supernet(tmp_path_factory, digits):
    """A unit with a supernet that has learnt enough to tell networks apart, made once."""
    unit = tmp_path_factory.mktemp("supernet") / "trial-0000"
    train_supernet(make_job("train_supernet", unit, digits, nas__num_epochs_supernet_train=12, supernet__batch_size=60))
    return unit


@pytest.fixture
def unit(supernet, tmp_path):
    return Path(shutil.copytree(supernet, tmp_path / "trial-0000"))


def search(unit, digits, algorithm="evolution", **changes):
    observed = {"search__algorithm": algorithm, "search__samples_per_update": 2} | changes
    search_architecture(make_job("search_architecture", unit, digits, **observed))
    return artefacts(unit)


def history(unit, name):
    return read_csv(unit / "history" / f"{name}.csv")


def best_of(rows):
    return min(float(row["val_loss"]) for row in rows)


def test_supernet_that_has_learnt_is_searched_to_the_end(unit, digits):
    assert search(unit, digits, search__prune_at_chance=True) == search(unit, digits)


def test_networks_that_know_nothing_are_rarely_below_the_loss_of_guessing():
    """Labels of three unequal classes, and networks whose outputs scatter around the best guess."""
    frequencies, generator = torch.tensor([0.6, 0.3, 0.1]), torch.Generator().manual_seed(1)
    fooled = fooled_by_entropy = 0
    for _ in range(400):
        labels = torch.multinomial(frequencies, 200, replacement=True, generator=generator)
        logits = frequencies.log() + 0.1 * torch.randn(5, 200, 3, generator=generator)
        losses = cross_entropy(logits.transpose(1, 2), labels.expand(5, -1), reduction="none").mean(1)
        fooled += int(losses.min().item() < loss_of_guessing(labels, 5))
        fooled_by_entropy += int(losses.min().item() < loss_of_guessing(labels, LEVEL))  # the margin is 0
    assert fooled <= LEVEL * 400 < fooled_by_entropy


@every_algorithm
def test_random_baseline_has_as_many_evaluations_within_the_same_limits(unit, digits, algorithm):
    limit = int(1.3 * COSTS.macs(COSTS.cheapest("macs")))
    search(unit, digits, algorithm, search__constraint__macs=limit)
    searched, baseline = history(unit, "evaluations"), history(unit, "random_evaluations")
    assert len({row["decisions"] for row in baseline}) == len(baseline) == 2 * 3 >= len(searched)
    assert searched[0].keys() == baseline[0].keys()
    assert all(int(row["macs"]) <= limit for row in baseline)
    scores = read_json(unit / "architecture.json")["scores"]
    assert scores["random_val_loss"] == best_of(baseline) and scores["val_loss"] == best_of(searched)
    assert 0 <= scores["random_val_accuracy"] <= 1


def test_random_search_is_its_own_baseline(unit, digits, monkeypatch):
    monkeypatch.setattr(RandomBaseline, "training_step", failing_at(RandomBaseline.training_step, 0))
    artefacts_of_search = search(unit, digits, "random")
    assert artefacts_of_search["history/random_evaluations.csv"] == artefacts_of_search["history/evaluations.csv"]
    scores = artefacts_of_search["architecture.json"]["scores"]
    assert scores["random_val_loss"] == scores["val_loss"]


def test_baseline_can_be_left_out_and_changes_nothing_else(unit, digits):
    compared = search(unit, digits)
    alone = search(unit, digits, search__random_baseline=False)
    assert history(unit, "random_evaluations") == []
    scores = compared["architecture.json"]["scores"]
    without = {name: value for name, value in scores.items() if not name.startswith("random_")}
    assert alone["architecture.json"] == compared["architecture.json"] | {"scores": without} and without != scores
    assert {name for name in alone if alone[name] != compared[name]} == {
        "architecture.json",
        "history/random_evaluations.csv",
    }


def test_network_of_the_search_is_not_evaluated_again_and_has_the_same_score(unit, digits, monkeypatch):
    """Four networks keep this limit, so search and baseline meet all of them."""
    limit = sorted({COSTS.macs(SPACE.canonical(vector)) for vector in neighbours()})[3]
    asked = []
    monkeypatch.setattr(InheritedEvaluator, "__call__", counting(InheritedEvaluator.__call__, asked))
    search(unit, digits, search__constraint__macs=limit)
    searched, baseline = ({row["decisions"]: row["val_loss"] for row in history(unit, name)} for name in NAMES)
    assert asked and len(asked) == len(set(asked)) == len(searched.keys() | baseline.keys())
    assert searched.keys() & baseline.keys()
    assert all(searched[network] == baseline[network] for network in searched.keys() & baseline.keys())


def neighbours():
    cheapest = COSTS.cheapest("macs")
    for position, decision in enumerate(SPACE.decisions):
        for index in range(len(decision.choices)):
            yield (*cheapest[:position], index, *cheapest[position + 1 :])


def counting(call, asked):
    def counted(self, decisions):
        asked.append(decisions)
        return call(self, decisions)

    return counted


def failing_at(step_of, wanted):
    """A replacement for a stage's training_step after which the process is gone, once: nothing is saved."""
    calls = iter(range(10**6))

    def training_step(self, step, batch_idx):
        if next(calls) == wanted:
            raise ConnectionAbortedError
        return step_of(self, step, batch_idx)

    return training_step


@pytest.mark.parametrize(("ending", "wanted"), [(dying_at, 0), (failing_at, 2), (dying_at, 4)])
def test_stopped_in_the_baseline_it_ends_the_same(unit, digits, monkeypatch, wanted, ending):
    whole = search(unit, digits)
    (unit / "architecture.json").unlink()
    shutil.rmtree(unit / "history")
    forget_finished(unit.parent)
    with monkeypatch.context() as patch:
        patch.setattr(RandomBaseline, "training_step", ending(RandomBaseline.training_step, wanted))
        with pytest.raises((SystemExit, ConnectionAbortedError)):
            search(unit, digits)
    with monkeypatch.context() as patch:  # what the search evaluated before is not evaluated again
        patch.setattr(ArchitectureSearch, "training_step", failing_at(ArchitectureSearch.training_step, 0))
        again = search(unit, digits)
    assert {name: whole[name] for name in again if "train_supernet" not in name} == {
        name: again[name] for name in again if "train_supernet" not in name
    }


@every_algorithm
def test_probabilities_have_a_row_per_epoch_decision_and_choice(unit, digits, algorithm):
    search(unit, digits, algorithm)
    rows, epochs = history(unit, "probabilities"), history(unit, "search_architecture")
    assert len(rows) == 2 * sum(len(decision.choices) for decision in SPACE.decisions)
    assert [row["choice"] for row in rows[: len(SPACE.decisions[0].choices)]] == list(SPACE.decisions[0].options)
    for group, group_rows in groupby(rows, key=lambda row: (row["epoch"], row["decision"])):
        assert sum(float(row["probability"]) for row in group_rows) == pytest.approx(1), group
    for row in epochs:
        probabilities = [
            float(one["probability"]) for one in rows if one["epoch"] == row["epoch"] and float(one["probability"])
        ]
        entropy = -sum(probability * math.log(probability) for probability in probabilities) / len(SPACE.decisions)
        assert float(row["entropy"]) == pytest.approx(entropy, abs=1e-12)
        assert 1 / 7 < float(row["max_probability"]) <= 1


@pytest.mark.parametrize("algorithm", ["random", "evolution"])
def test_probabilities_of_a_population_are_the_shares_in_its_generation(unit, digits, algorithm):
    search(unit, digits, algorithm)
    rows = history(unit, "probabilities")
    for epoch in ("1", "2"):
        candidates = [
            tuple(map(int, row["decisions"].split()))
            for row in history(unit, "evaluations")
            if row["generation"] == epoch
        ]
        probabilities = [float(row["probability"]) for row in rows if row["epoch"] == epoch]
        expected = [
            [candidate[position] for candidate in candidates].count(index) / len(candidates)
            for position, decision in enumerate(SPACE.decisions)
            for index in range(len(decision.choices))
        ]
        assert probabilities == expected


def test_accuracy_before_recalibration_is_that_of_the_statistics_in_the_supernet(unit, digits):
    search(unit, digits)
    splits = Splits.open(digits, make_job("search_architecture", unit, digits).settings, torch.device("cpu"))
    supernet = Supernet(SPACE, 1)
    supernet.load_state_dict(read_weights(unit / "supernet.safetensors"))
    supernet.set_active_subnet(tuple(read_json(unit / "architecture.json")["decisions"]))
    _, accuracy = evaluate(supernet, splits.evaluation("val", 600))
    last = history(unit, "search_architecture")[-1]
    assert float(last["uncalibrated_val_accuracy"]) == pytest.approx(accuracy, abs=2e-3)
    assert last["uncalibrated_val_accuracy"] != last["best_val_accuracy"]


def test_hypervolume_is_that_of_what_was_evaluated_so_far_and_never_shrinks(unit, digits):
    search(unit, digits)
    rows, evaluations = history(unit, "search_architecture"), history(unit, "evaluations")
    reference = reference_of(COSTS, None)
    for row in rows:
        points = [(float(one["val_loss"]), int(one["macs"])) for one in evaluations[: int(row["evaluated"])]]
        assert float(row["hypervolume"]) == hypervolume(points, reference)
    assert 0 < float(rows[0]["hypervolume"]) <= float(rows[1]["hypervolume"]) < 1
    scores = read_json(unit / "architecture.json")["scores"]
    assert (scores["reference_val_loss"], scores["reference_macs"]) == reference
