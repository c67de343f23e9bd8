"""Suggestions after trials that failed, diverged or were pruned (nasmake.study.suggest and the journal)."""

from pathlib import Path

import pytest
from nasmake.config.study import Optimize
from nasmake.core.files import write_json
from nasmake.core.records import FAIL, PRUNED, json_of, read_suggestion
from nasmake.study.journal import in_memory, observed_trials
from nasmake.study.suggest import suggest
from optuna.trial import TrialState
from small_results import diverged, records, result

LR = {"name": "initial_lr", "type": "uniform_float", "lower": 0.1, "upper": 1.0}
FAILED = {"trial": 0, "state": FAIL, "value": None, "reason": "retrain: ValueError: boom"}


def study(**changes):
    return Optimize.model_validate({"lag": 1, "n_startup_trials": 1, "parameters": [LR]} | changes)


@pytest.mark.parametrize("content", [FAILED, diverged(0)], ids=["failed", "diverged"])
def test_a_suggestion_that_observes_no_value_can_be_read(tmp_path: Path, content):
    (record,) = records(content)
    first = suggest(study(), [], None)
    second = suggest(study(), [first], json_of(record))
    write_json(tmp_path / "suggestion.json", second)
    observed = read_suggestion(tmp_path / "suggestion.json").observed
    assert observed == {"trial": 0, "state": content["state"], "value": None}


def test_the_sampler_leaves_a_failed_trial_out_and_the_pruner_too():
    """TPE starts after one observed trial. A pruned trial counts, a failed one does not."""
    settings = study(pruner="median", n_startup_trials=1)
    first = suggest(settings, [], None)
    after_failure = suggest(settings, [first], FAILED)
    assert after_failure["params"] == suggest(settings, [first], None)["params"]
    assert after_failure["params"] != suggest(settings, [first], FAILED | {"state": PRUNED})["params"]
    assert after_failure["prune_below"] == []


def test_every_sampler_suggests_after_a_failure():
    for sampler in ("TpeOptimizer", "RandomOptimizer", "SobolOptimizer", "NelderMeadOptimizer", "GridOptimizer"):
        settings = study(search_algorithm=sampler, parameters=[LR | {"step": 0.1}])
        first = suggest(settings, [], None)
        assert suggest(settings, [first], FAILED)["params"] != first["params"]


def test_the_journal_tells_failed_and_pruned_trials_apart():
    trials = observed_trials(study(), [{"initial_lr": 0.5}] * 3, records(FAILED, diverged(1), result(2, 0.5)))
    states = [trial.state for trial in in_memory(study(), trials).trials]
    assert states == [TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE]
