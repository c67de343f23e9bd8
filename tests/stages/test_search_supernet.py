"""Supernet training and search at the same time (nas.type simultaneous), on digits."""

import math
import os
import signal

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json
from nasmake.path_samplers import PATH_SAMPLERS
from nasmake.pipeline.checks import WITH_DISTRIBUTION
from nasmake.stages.search_supernet import SupernetSearch, search_supernet
from small_jobs import artefacts, make_job, outputs_of

# Four epochs of four steps, the first without the distribution.
SIMULTANEOUS = {
    "nas__type": "simultaneous",
    "nas__num_epochs_supernet_train": 4,
    "search__batch_size": 100,
    "search__samples_per_update": 2,
}
HISTORIES = ("train_supernet", "search_architecture", "evaluations", "random_evaluations", "probabilities")


def run(unit, digits, **changes):
    search_supernet(make_job("search_supernet", unit, digits, **SIMULTANEOUS | changes))
    return artefacts(unit)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, digits):
    """The artefacts of each strategy, once, and their folder."""
    folders = {name: tmp_path_factory.mktemp(name) / "trial-0000" for name in WITH_DISTRIBUTION}
    return {name: (folder, run(folder, digits, search__algorithm=name)) for name, folder in folders.items()}


every_strategy = pytest.mark.parametrize("name", WITH_DISTRIBUTION)


@every_strategy
def test_artefacts_are_those_of_both_stages(whole, name):
    _, found = whole[name]
    assert found.keys() == {*outputs_of("search_supernet"), *(f"history/{name}.csv" for name in HISTORIES)}


@every_strategy
def test_what_is_found_is_the_last_mode_with_the_last_weights(whole, name):
    unit, found = whole[name]
    architecture, rows = found["architecture.json"], read_csv(unit / "history" / "search_architecture.csv")
    modes = read_csv(unit / "history" / "evaluations.csv")
    assert len(rows) == 4 and len(modes) == 3 and [row["evaluated"] for row in rows] == ["", "1", "2", "3"]
    assert [int(index) for index in modes[-1]["decisions"].split()] == architecture["decisions"]
    assert float(modes[-1]["val_loss"]) == architecture["scores"]["val_loss"] == float(rows[-1]["best_val_loss"])
    last = [row for row in read_csv(unit / "history" / "probabilities.csv") if row["epoch"] == "4"]
    for position, choice in enumerate(architecture["decisions"]):
        decision = list(dict.fromkeys(row["decision"] for row in last))[position]
        probabilities = [float(row["probability"]) for row in last if row["decision"] == decision]
        assert probabilities[choice] == max(probabilities) and math.isclose(sum(probabilities), 1)


@every_strategy
def test_distribution_rests_while_the_weights_warm_up_and_then_moves(whole, name):
    unit, _ = whole[name]
    rows = read_csv(unit / "history" / "search_architecture.csv")
    entropies = [float(row["entropy"]) for row in rows]
    uniform = sum(math.log(options) for options in (6, 7, 6, 7, 6, 7)) / 6
    assert math.isclose(entropies[0], uniform) and entropies[1] < uniform and len(set(entropies)) == 4
    assert rows[0]["val_loss"] == "" and all(math.isfinite(float(row["val_loss"])) for row in rows[1:])


@every_strategy
def test_random_baseline_costs_what_the_search_did(whole, name):
    """12 steps of passes over 100 images; an evaluation takes 600 of val and 200 for recalibration."""
    unit, found = whole[name]
    passes = {"asng": 2, "reinforce": 2, "proxyless": 4}[name]
    assert len(read_csv(unit / "history" / "random_evaluations.csv")) == 3 + round(12 * passes * 100 / 800)
    assert found["architecture.json"]["scores"]["random_val_loss"] > 0


@pytest.mark.parametrize(("name", "wanted"), [*zip(WITH_DISTRIBUTION, (2, 9, 5), strict=True)])
def test_terminated_at_a_step_it_ends_the_same(whole, tmp_path, digits, monkeypatch, name, wanted):
    unit, calls, step_of = tmp_path / "trial-0000", iter(range(1000)), SupernetSearch.training_step

    def training_step(self, step, batch_idx):
        if next(calls) == wanted:
            os.kill(os.getpid(), signal.SIGTERM)
        return step_of(self, step, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(SupernetSearch, "training_step", training_step)
        with pytest.raises(SystemExit):
            run(unit, digits, search__algorithm=name)
    assert not any((unit / name).exists() for name in outputs_of("search_supernet"))
    assert run(unit, digits, search__algorithm=name) == whole[name][1]


@pytest.mark.parametrize("sampler", PATH_SAMPLERS)
def test_every_sampler_trains_the_supernet(tmp_path, digits, sampler):
    short = {"nas__num_epochs_supernet_train": 1, "search__random_baseline": False}
    found = run(tmp_path / "trial-0000", digits, supernet__sampler=sampler, **short)
    assert found["supernet.json"]["settings"]["sampler"] == sampler
    assert found["architecture.json"]["state"] == "COMPLETE"


def test_update_interval_is_counted_in_weight_steps(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    run(unit, digits, search__update_interval=20, search__random_baseline=False)
    rows = read_csv(unit / "history" / "search_architecture.csv")
    assert [row["val_loss"] for row in rows] == [""] * 4 and len({row["entropy"] for row in rows}) == 1


def test_limits_are_kept(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    found = run(unit, digits, search__constraint__macs=500_000)
    assert found["architecture.json"]["macs"] <= 500_000
    for name in ("evaluations", "random_evaluations"):
        assert all(int(row["macs"]) <= 500_000 for row in read_csv(unit / "history" / f"{name}.csv"))


def test_limit_below_every_network_is_one_line(tmp_path, digits):
    with pytest.raises(InputError, match=r"search\.constraint\.macs is 1; expected \d+ or more, which the cheapest"):
        run(tmp_path / "trial-0000", digits, search__constraint__macs=1)


def test_weights_that_diverge_are_a_result(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    found = run(unit, digits, supernet__lr=1e20, supernet__gradient_clip=None)
    for name in ("supernet.json", "architecture.json"):
        assert found[name]["state"] == "PRUNED" and found[name]["reason"].startswith("search_supernet: not finite")
    assert all((unit / "history" / f"{name}.csv").is_file() for name in HISTORIES)
    assert read_json(unit / "supernet.json")["parameters"] > 0


def test_weights_at_chance_are_a_result(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    found = run(unit, digits, search__prune_at_chance=True, supernet__lr=1e-6)
    cause = "search_supernet: supernet at chance: best val loss of 1 networks is 2."
    for name in ("supernet.json", "architecture.json"):
        assert found[name]["state"] == "PRUNED" and found[name]["reason"].startswith(cause)
    assert len(read_csv(unit / "history" / "search_architecture.csv")) == 4
    assert read_csv(unit / "history" / "random_evaluations.csv") == []
