"""Retrainings that the pruner stops: limits from earlier trials, the same epoch after a resume."""

import os
import signal
from dataclasses import replace

import pytest
from nasmake.config import load
from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.costs.table import with_costs
from nasmake.pipeline.finished import forget_finished
from nasmake.search_spaces import Architecture
from nasmake.stages.retrain import Retraining, retrain
from nasmake.study.history import history_of
from nasmake.study.suggest import prune_below, suggest
from small_jobs import CHEAPEST, artefacts, make_job
from small_spaces import shipped

EPOCHS = 5
NEVER, ALWAYS = 0.0, 1.1  # val accuracies that every network reaches, and none


def prune(unit, digits, limits):
    """Retrain the cheapest network of the space under limits by epoch."""
    space = shipped("proxyless_digits")
    cheapest = Architecture.from_decisions(tuple(CHEAPEST["decisions"]), space)
    write_json(unit / "architecture.json", with_costs(cheapest, 1, 8) | {"state": COMPLETE})
    retrain(replace(make_job("retrain", unit, digits, nas__num_epochs_retrain=EPOCHS), prune_below=limits))
    return artefacts(unit)


def result_of(unit):
    return read_json(unit / "result.json")


def test_limits_that_every_epoch_keeps_change_nothing_but_tell_the_curve(tmp_path, digits):
    free = prune(tmp_path / "free", digits, None)
    kept = prune(tmp_path / "kept", digits, [None, NEVER, NEVER])
    curve = kept["result.json"].pop("val_accuracies")
    assert kept == free and free["result.json"]["state"] == COMPLETE
    assert curve == [float(row["val_accuracy"]) for row in read_csv(tmp_path / "free" / "history" / "retrain.csv")]


def test_training_stops_below_the_limit_with_a_reason(tmp_path, digits):
    prune(tmp_path, digits, [None, NEVER, ALWAYS])
    result, rows = result_of(tmp_path), read_csv(tmp_path / "history" / "retrain.csv")
    assert (result["state"], result["value"]) == (PRUNED, None)
    assert result["reason"].startswith("retrain: pruned in epoch 3: val accuracy 0.")
    assert result["reason"].endswith(" is below 1.1000, the median of told trials")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert result["val_accuracies"] == [float(row["val_accuracy"]) for row in rows]
    assert result["macs"] > 0
    forget_finished(tmp_path.parent)
    assert not list(tmp_path.glob(".resume/*"))


def test_the_last_epoch_is_never_pruned(tmp_path, digits):
    prune(tmp_path, digits, [None] * (EPOCHS - 1) + [ALWAYS])
    assert result_of(tmp_path)["state"] == COMPLETE


@pytest.mark.parametrize("wanted", [0, 7, 12, 17])
def test_a_terminated_process_is_pruned_in_the_same_epoch(tmp_path, digits, monkeypatch, wanted):
    """Six steps an epoch; the limit of the third one stops training, step 17 is its last."""
    limits, step_of, calls = [None, NEVER, ALWAYS], Retraining.training_step, iter(range(10**6))
    whole = prune(tmp_path / "whole", digits, limits)

    def training_step(self, step, batch_idx):
        if next(calls) == wanted:
            os.kill(os.getpid(), signal.SIGTERM)
        return step_of(self, step, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Retraining, "training_step", training_step)
        try:
            prune(tmp_path / "cut", digits, limits)
        except SystemExit as stopped:
            assert stopped.code == 143
    assert prune(tmp_path / "cut", digits, limits) == whole


# What the fold tells.

LR = {"name": "retrain.hyperparameters.base_lr", "type": "uniform_float", "lower": 0.1, "upper": 1.0}


def study(**changes):
    settings = {"lag": 1, "n_startup_trials": 2, "n_warmup_epochs": 1, "pruner": "median", "parameters": [LR]}
    return Optimize.model_validate(settings | changes)


def observed(trial, *curve, state=COMPLETE):
    return {"trial": trial, "state": state, "value": curve[-1] if state == COMPLETE else None, "val_accuracies": curve}


def after(settings, *results):
    suggestions = [suggest(settings, [], None)]
    for result in results:
        suggestions.append(suggest(settings, suggestions, result))
    return suggestions


def test_limits_are_the_medians_of_told_complete_trials_by_epoch():
    results = [observed(0, 0.1, 0.2, 0.3), observed(1, 0.3, 0.4), observed(2, 0.9, 0.9, state=PRUNED)]
    assert after(study(), *results[:1])[-1]["prune_below"] == [None, None, None]  # one trial is too few
    suggestions = after(study(), *results)
    assert suggestions[-1]["prune_below"] == [None, pytest.approx(0.3), None]
    assert prune_below(study(), history_of(suggestions)) == suggestions[-1]["prune_below"]
    assert "prune_below" not in after(study(pruner="none"), *results)[-1]


def test_first_trials_are_told_that_there_is_no_limit_yet():
    assert after(study())[-1]["prune_below"] == []


def test_pruner_is_named_or_off():
    assert load({"optimize": {"trial_number": 1}}).optimize.pruner == "none"
    with pytest.raises(InputError, match=r"optimize\.pruner is mean; expected none or median"):
        load({"optimize": {"trial_number": 1, "pruner": "mean"}})
