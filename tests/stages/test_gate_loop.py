"""The search by gates as its script calls it, on digits: two epochs of two gate steps and one evaluation."""

import shutil
from pathlib import Path

import pytest
from nasmake.core.files import read_csv, read_json
from nasmake.costs.table import CostTable
from nasmake.stages.evaluator import InheritedEvaluator
from nasmake.stages.search_architecture import ArchitectureSearch, search_architecture
from nasmake.stages.train_supernet import train_supernet
from small_jobs import artefacts, make_job
from small_spaces import shipped
from test_running_stages import dying_at

GATES = {"search__algorithm": "proxyless", "search__architecture_lr": 0.5}
LINEAR = {"search__expected_cost__loss": "linear", "search__expected_cost__target": 3e5}


def run(unit, digits, **changes):
    search_architecture(make_job("search_architecture", unit, digits, **GATES | changes))
    return artefacts(unit)


@pytest.fixture(scope="module")
def supernet(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("gates") / "trial-0000"
    train_supernet(make_job("train_supernet", folder, digits))
    return folder


@pytest.fixture
def unit(supernet, tmp_path):
    return Path(shutil.copytree(supernet, tmp_path / "trial-0000"))


def rows(unit, name="search_architecture"):
    return read_csv(unit / "history" / f"{name}.csv")


def decisions(row):
    return [int(index) for index in row["decisions"].split()]


def test_history_has_the_gate_steps_and_the_evaluated_modes(unit, digits):
    run(unit, digits)
    history, evaluated = rows(unit), rows(unit, "evaluations")
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert len(evaluated) == int(history[-1]["evaluated"]) <= 2
    assert float(history[0]["val_loss"]) > 0 and 0 <= float(history[0]["val_accuracy"]) <= 1
    assert float(history[1]["entropy"]) < float(history[0]["entropy"])
    assert float(history[0]["expected_cost"]) != float(history[1]["expected_cost"])
    architecture = read_json(unit / "architecture.json")
    best = min(evaluated, key=lambda row: float(row["val_loss"]))
    assert architecture["decisions"] == decisions(best) and architecture["scores"]["val_loss"] == float(
        best["val_loss"]
    )


@pytest.mark.parametrize(("changes", "wanted"), [({}, 0), (LINEAR, 1), ({}, 3), (LINEAR, 4), ({}, 5)])
def test_terminated_at_a_step_ends_the_same(unit, digits, monkeypatch, wanted, changes):
    whole = run(unit, digits, **changes)
    (unit / "architecture.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(ArchitectureSearch, "training_step", dying_at(ArchitectureSearch.training_step, wanted))
        with pytest.raises(SystemExit):
            run(unit, digits, **changes)
    assert run(unit, digits, **changes) == whole


def test_killed_in_the_second_epoch_ends_the_same(unit, digits, monkeypatch):
    """Without a signal nothing is saved after the end of the first epoch."""
    whole = run(unit, digits)
    (unit / "architecture.json").unlink()
    step_of = ArchitectureSearch.training_step

    def dies(self, step, batch_idx):
        if self.current_epoch == 1 and batch_idx == 1:
            raise MemoryError
        return step_of(self, step, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ArchitectureSearch, "training_step", dies)
        with pytest.raises(MemoryError):
            run(unit, digits)
    assert run(unit, digits) == whole


def test_limit_holds_for_every_evaluated_mode(unit, digits):
    run(unit, digits, search__constraint__macs=400_000)
    assert all(int(row["macs"]) <= 400_000 for row in rows(unit, "evaluations"))
    assert read_json(unit / "architecture.json")["macs"] <= 400_000


@pytest.mark.parametrize(
    "changes",
    [GATES | LINEAR, {"search__algorithm": "asng", "search__epsilon": 1.0, "search__samples_per_update": 2}],
    ids=["proxyless", "asng"],
)
def test_where_cost_is_weighed_the_conclusion_is_found_and_not_the_smallest_val_loss(
    unit, digits, monkeypatch, changes
):
    costs = CostTable(shipped("proxyless_digits"), 1, 8)
    losses = iter(range(100))  # every network is worse than those evaluated before
    monkeypatch.setattr(
        InheritedEvaluator, "__call__", lambda self, network: (1.0 + next(losses), costs.macs(network) / 1e9)
    )
    run(unit, digits, **changes)
    architecture, evaluated = read_json(unit / "architecture.json"), rows(unit, "evaluations")
    assert len(evaluated) > 1 and architecture["scores"]["val_loss"] > 1.0
    assert architecture["decisions"] in [decisions(row) for row in evaluated[1:]]
