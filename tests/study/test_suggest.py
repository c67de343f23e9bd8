"""Suggestions, the journal (nasmake.study.journal) and scripts/suggest.py."""

import json
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest
from nasmake.config.study import Optimize
from nasmake.core.files import read_json, write_json
from nasmake.core.records import COMPLETE, PRUNED
from nasmake.study.journal import distributions, extend_journal, frozen_trials, in_memory
from nasmake.study.suggest import suggest
from optuna.trial import TrialState
from small_results import replay, result

SCRIPT = Path(__file__).parents[2] / "scripts" / "suggest.py"
PARAMETERS = [
    {"name": "initial_lr", "type": "uniform_float", "lower": 1e-4, "upper": 1.0, "log": True, "initial": 1e-3},
    {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 10},
    {"name": "optimizer", "type": "categorical", "choices": ["MomentumSGD", "Adam"], "initial": "Adam"},
]


def optimize(**changes):
    settings = {"lag": 3, "n_startup_trials": 4, "trial_number": 12, "parameters": PARAMETERS}
    return Optimize.model_validate(settings | changes)


def objective(trial, params):
    """Some trials diverge; the values of the others depend on their parameters."""
    if trial % 5 == 3:
        return {"trial": trial, "state": PRUNED, "value": None}
    value = 1 / (1 + abs(params["initial_lr"] - 0.1)) + params["lam"] / 100
    return {"trial": trial, "state": COMPLETE, "value": value}


@pytest.fixture(scope="module")
def reference():
    return replay(optimize(), objective)


@pytest.mark.parametrize("order", range(4))
def test_suggestions_do_not_depend_on_when_results_arrive(reference, order):
    assert replay(optimize(), objective, order) == reference


def test_extension_leaves_the_first_trials_untouched(reference):
    longer = replay(optimize(trial_number=15), objective)
    assert longer[:12] == reference and [suggestion["trial"] for suggestion in longer] == list(range(15))


def test_each_suggestion_holds_the_one_result_that_it_is_the_first_to_observe(reference):
    for number, suggestion in enumerate(reference):
        told = objective(number - 3, reference[number - 3]["params"]) if number >= 3 else None
        assert suggestion["observed"] == told
        assert "history" not in suggestion


def test_values_are_within_bounds_and_of_their_type(reference):
    for suggestion in reference:
        params = suggestion["params"]
        assert params.keys() == {"initial_lr", "lam", "optimizer"}
        assert 1e-4 <= params["initial_lr"] <= 1.0 and type(params["initial_lr"]) is float
        assert 1 <= params["lam"] <= 10 and type(params["lam"]) is int
        assert params["optimizer"] in ("MomentumSGD", "Adam")
    assert len({json.dumps(suggestion["params"]) for suggestion in reference}) == len(reference)


def test_initial_values_are_trial_0_and_the_others_are_sampled(reference):
    first = reference[0]["params"]
    assert (first["initial_lr"], first["optimizer"]) == (1e-3, "Adam")
    without = [{key: value for key, value in parameter.items() if key != "initial"} for parameter in PARAMETERS]
    sampled = suggest(optimize(parameters=without), [], None)["params"]
    assert sampled["initial_lr"] != 1e-3


def test_initial_value_of_an_int_may_be_written_as_text():
    parameter = {"name": "lam", "type": "uniform_int", "lower": "1", "upper": "10", "initial": "8"}
    assert suggest(optimize(parameters=[parameter]), [], None)["params"] == {"lam": 8}


@pytest.mark.parametrize("algorithm", ["TpeOptimizer", "RandomOptimizer", "aiaccel.optimizer.RandomOptimizer"])
def test_seed_decides_and_every_trial_draws_anew(algorithm):
    def values(seed):
        suggestions = replay(optimize(search_algorithm=algorithm, rand_seed=seed, trial_number=6), objective)
        return [suggestion["params"]["initial_lr"] for suggestion in suggestions[1:]]

    assert values(1) == values(1) != values(2)
    assert len(set(values(1))) == 5


def test_random_suggestions_ignore_results_and_tpe_does_not():
    def last(algorithm, value):
        settings = optimize(search_algorithm=algorithm, lag=1, n_startup_trials=2)
        suggestions = [suggest(settings, [], None)]
        for trial in range(8):
            observed = {"trial": trial, "state": COMPLETE, "value": value(suggestions[-1]["params"]["initial_lr"])}
            suggestions.append(suggest(settings, suggestions, observed))
        return suggestions[-1]["params"]

    assert last("RandomOptimizer", lambda lr: lr) == last("RandomOptimizer", lambda lr: -lr)
    assert last("TpeOptimizer", lambda lr: lr) != last("TpeOptimizer", lambda lr: -lr)


def test_tpe_finds_what_random_sampling_does_not():
    def best(algorithm):
        settings = optimize(search_algorithm=algorithm, lag=1, n_startup_trials=10, parameters=PARAMETERS[:1])
        suggestions, values = [suggest(settings, [], None)], []
        for trial in range(40):
            values.append(-abs(suggestions[-1]["params"]["initial_lr"] - 0.03))
            observed = {"trial": trial, "state": COMPLETE, "value": values[-1]}
            suggestions.append(suggest(settings, suggestions, observed))
        return sum(sorted(values)[-10:])

    assert best("TpeOptimizer") > best("RandomOptimizer")


def test_suggesting_changes_nothing_that_it_was_given(reference):
    earlier, observed = deepcopy(reference[:8]), objective(5, reference[5]["params"])
    suggest(optimize(), earlier, observed)
    assert earlier == reference[:8] and observed == objective(5, reference[5]["params"])


def test_diverged_trials_steer_away():
    """Divergence above a learning rate of 0.01: later suggestions avoid it."""
    settings = optimize(rand_seed=1, lag=1, n_startup_trials=6, parameters=[PARAMETERS[0] | {"initial": None}])
    suggestions, rates = [suggest(settings, [], None)], []
    for trial in range(30):
        rates.append(suggestions[-1]["params"]["initial_lr"])
        good = {"state": COMPLETE, "value": 0.5 - abs(rates[-1] - 0.001)}
        observed = good if rates[-1] < 0.01 else {"state": PRUNED, "value": None}
        suggestions.append(suggest(settings, suggestions, {"trial": trial} | observed))
    assert sum(rate >= 0.01 for rate in rates[:6]) >= 2
    assert sum(rate >= 0.01 for rate in rates[-15:]) <= 3


def test_distributions():
    assert distributions(optimize().parameters) == {
        "initial_lr": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "lam": optuna.distributions.IntDistribution(1, 10),
        "optimizer": optuna.distributions.CategoricalDistribution(["MomentumSGD", "Adam"]),
    }


def observed_of(reference):
    trials = [{"params": suggestion["params"]} for suggestion in reference]
    return [trial | objective(number, trial["params"]) for number, trial in enumerate(trials)]


def test_frozen_trials_keep_values_and_states(reference):
    frozen = frozen_trials(optimize(), observed_of(reference))
    assert [trial.state.name for trial in frozen[:4]] == [COMPLETE] * 3 + [PRUNED]
    assert [trial.params for trial in frozen] == [suggestion["params"] for suggestion in reference]
    assert frozen[0].value == objective(0, reference[0]["params"])["value"] and frozen[3].value is None
    assert in_memory(optimize(), observed_of(reference)).best_trial.state.name == COMPLETE


def frozen_of(suggestions, finished):
    """Trials of which the first ones are finished, each begun in its own minute and finished one later."""
    trials = frozen_trials(optimize(), observed_of(suggestions))
    for number, trial in enumerate(trials):
        trial.datetime_start = datetime(2026, 1, 1, 12, number, tzinfo=UTC)
        trial.datetime_complete = datetime(2026, 1, 1, 12, number + 1, tzinfo=UTC)
        if number >= finished:
            trial.state, trial.values, trial.datetime_complete = TrialState.RUNNING, None, None
    return trials


def load(path):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    return optuna.load_study(study_name="tiny", storage=storage)


def test_journal_is_continued_behind_what_a_dashboard_has_read(tmp_path, reference):
    path, texts = tmp_path / "study" / "journal.log", [b""]
    for told, finished in ((3, 1), (6, 3), (6, 6), (12, 12), (12, 12)):
        trials = frozen_of(reference[:told], finished)
        for trial in trials[:finished]:
            trial.user_attrs = {"macs": 7}
        extend_journal(path, optimize(), "tiny", trials)
        texts.append(path.read_bytes())
        assert texts[-1].startswith(texts[-2])
    assert texts[-1] == texts[-2] and b'"op_code":1,' not in texts[-1]  # nothing new, and nothing was deleted
    study = load(path)
    assert study.direction.name == "MAXIMIZE"
    assert [trial.params for trial in study.trials] == [suggestion["params"] for suggestion in reference]
    for number, trial in enumerate(study.trials):
        expected = objective(number, trial.params)
        assert (trial.state.name, trial.value, trial.user_attrs) == (expected["state"], expected["value"], {"macs": 7})
        assert trial.duration.total_seconds() == 60
    assert [file.name for file in path.parent.iterdir()] == ["journal.log"]


def test_changed_trial_is_written_anew_behind_the_old_ones(tmp_path, reference):
    path = tmp_path / "journal.log"
    extend_journal(path, optimize(), "tiny", frozen_of(reference, 12))
    before = path.read_bytes()
    trials = frozen_of(reference, 12)
    trials[4].user_attrs = {"test_accuracy": 0.9}
    extend_journal(path, optimize(), "tiny", trials)
    assert path.read_bytes().startswith(before)
    assert len(load(path).trials) == 12 and load(path).trials[4].user_attrs == {"test_accuracy": 0.9}


def test_unfinished_line_of_a_killed_process_is_dropped(tmp_path, reference):
    path = tmp_path / "journal.log"
    extend_journal(path, optimize(), "tiny", frozen_of(reference[:2], 1))
    path.write_bytes(path.read_bytes()[:-9])
    extend_journal(path, optimize(), "tiny", frozen_of(reference, 12))
    assert [trial.state.is_finished() for trial in load(path).trials] == [True] * 12


# The script.


def run_script(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_script_writes_what_the_function_returns_and_refuses_a_narrowed_space(tmp_path, reference):
    study = optimize().model_dump_json(exclude={"trial_number"})
    for trial, suggestion in enumerate(reference[:8]):
        made = {"provenance": {"versions": {"optuna": "4.0"}}}
        write_json(tmp_path / f"trial-{trial:04d}" / "suggestion.json", suggestion | made)
    outcome = objective(5, reference[5]["params"])
    write_json(tmp_path / "observed.json", result(5, outcome["value"]))
    files = ("--previous", tmp_path / "trial-0007" / "suggestion.json", "--observed", tmp_path / "observed.json")
    files += ("--out", tmp_path / "out.json")
    done = run_script("--study", study, "--version", "1", *files)
    assert done.returncode == 0, done.stderr
    written = read_json(tmp_path / "out.json")
    assert written.pop("provenance")["versions"]["optuna"] == optuna.__version__
    assert written == reference[8] | {"study": {"version": 1}}
    assert done.stdout.splitlines() == [
        "warning: this study began under another Optuna, whose suggestions may differ",
        f"trial 8: {json.dumps(reference[8]['params'])}",
    ]

    narrowed = [PARAMETERS[0] | {"lower": 0.9, "initial": 1.0}, *PARAMETERS[1:]]
    done = run_script("--study", optimize(parameters=narrowed).model_dump_json(), "--version", "1", *files)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: optimize.parameters: ") and "needs another `run` name" in done.stderr
    assert read_json(tmp_path / "out.json")["trial"] == 8
