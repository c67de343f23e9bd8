"""Studies with two objectives, val accuracy and a cost: suggestions, the Pareto front, and its report."""

import json
from pathlib import Path

import pytest
from nasmake.config import load
from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.searched import needs_latency
from nasmake.pipeline.stages import CHAIN
from nasmake.report.results import read_study_results
from nasmake.report.study_figures import FIGURES
from nasmake.report.style import svg
from nasmake.report.summary import front, promote
from nasmake.report.trials_table import trials_table
from nasmake.study.history import history_of
from nasmake.study.journal import extend_journal, frozen_trials, in_memory, observed_trials
from small_results import diverged, main_of, records, replay, result
from small_run import LR, MACS, marks, small_run

TWO = ["val_accuracy", "macs"]
PARAMETERS = [
    {"name": "initial_lr", "type": "uniform_float", "lower": 0.0, "upper": 1.0},
    {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 10},
]
STEPPED = [PARAMETERS[0] | {"step": 0.1}, PARAMETERS[1]]


def study(sampler="TpeOptimizer", **changes):
    settings = {"search_algorithm": sampler, "lag": 3, "n_startup_trials": 4, "trial_number": 16, "objectives": TWO}
    return Optimize.model_validate(settings | {"parameters": STEPPED} | changes)


def objective(trial, point):
    """Accuracy rises with lam and so does the cost; a learning rate away from 0.3 is worse in both."""
    if trial % 6 == 4:
        return diverged(trial)
    accuracy = point["lam"] / 12 - abs(point["initial_lr"] - 0.3) / 4
    return result(trial, accuracy, macs=int(1e6 * (point["lam"] + 5 * abs(point["initial_lr"] - 0.3))))


@pytest.mark.parametrize("sampler", ["TpeOptimizer", "RandomOptimizer", "SobolOptimizer", "GridOptimizer"])
def test_suggestions_for_two_objectives_depend_only_on_observed_results(sampler):
    suggestions = replay(study(sampler), objective)
    assert suggestions == replay(study(sampler), objective, order=1)
    assert len({json.dumps(suggestion["params"]) for suggestion in suggestions}) == 16
    observed = [entry for entry in history_of(suggestions) if entry["state"] == "COMPLETE"]
    assert all(entry["macs"] == objective(entry["trial"], entry["params"])["macs"] for entry in observed) and observed


def test_tpe_of_two_objectives_goes_where_neither_is_lost():
    suggestions = replay(study(trial_number=60, lag=1, n_startup_trials=10, parameters=PARAMETERS), objective)
    rates = [suggestion["params"]["initial_lr"] for suggestion in suggestions]
    lost = [abs(rate - 0.3) for rate in rates]
    assert sum(lost[-20:]) / 20 < 0.6 * sum(lost[:10]) / 10
    assert len({suggestion["params"]["lam"] for suggestion in suggestions[-20:]}) >= 4  # along the front


def test_cost_is_minimized_in_what_optuna_is_given(tmp_path):
    params = [{"initial_lr": 0.1, "lam": 2}, {}]
    trials = observed_trials(study(), params, records(result(0, 0.5), diverged(1)))
    in_optuna = in_memory(study(), trials[:1])
    assert [direction.name for direction in in_optuna.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert in_optuna.trials[0].values == [0.5, 2_000_000]
    extend_journal(tmp_path / "journal.log", study(), "two", frozen_trials(study(), trials))


RESULTS = records(
    result(0, 0.9, macs=900),
    result(1, 0.8, macs=900),  # beaten by 0
    diverged(2),
    result(3, 0.7, macs=100),
    result(4, 0.95, macs=2000),
    result(5, 0.7, 0.5, macs=100),  # as good as 3, and of lower loss
)


def test_front_is_what_none_beats_best_accuracy_first():
    assert [trial.trial for trial in front(RESULTS, TWO)] == [4, 0, 5, 3]
    assert promote(RESULTS, 2, TWO) == [4, 0] and promote(RESULTS, 9, TWO) == [4, 0, 5, 3]
    assert promote(RESULTS, 3) == [4, 0, 1]
    with pytest.raises(InputError):
        promote(records(diverged(0)), 1, TWO)


# What a finished run shows.


@pytest.fixture
def run(tmp_path) -> Path:
    """A run whose trials 1 and 4 are the front: accuracy rises with the trial's number, and trial 1 is cheap."""
    settings = study(trial_number=5, parameters=[MACS, LR])
    folder = small_run(tmp_path / "two", settings)
    for path in sorted(folder.glob("trial-*/result.json")):
        content = read_json(path)
        write_json(path, content | {"macs": 100_000 if content["trial"] == 1 else 714880})
    return folder


def test_summary_writes_the_front_and_names_it(run):
    settings = study(trial_number=5, parameters=[MACS, LR])
    given, promoted = ["--run", str(run), "--trials", "5"], run / "study" / "promoted.json"
    main_of("promote")(["--top", "2", "--objectives", *TWO, *given, "--out", str(promoted)])
    assert read_json(promoted)["trials"] == [4, 1]
    finals = [run / f"trial-000{trial}" / "final.json" for trial in (4, 1)]
    for path in finals:
        write_json(path, read_json(path.with_name("result.json")) | {"test_accuracy": 0.7, "test_loss": 1, "test_n": 9})
        path.with_name("final.safetensors").write_bytes(b"weights")
    main_of("summarize_study")(["--study", settings.model_dump_json(), *given])
    rows = read_csv(run / "study" / "front.csv")
    assert [row["trial"] for row in rows] == ["4", "1"] and rows[1]["macs"] == "100000"
    assert rows[0].keys() == read_csv(run / "study" / "trials.csv")[0].keys()
    assert "front of val_accuracy and macs: 2 trials, " in (run / "study" / "summary.txt").read_text()


def test_figure_and_page_show_the_front(run):
    results = read_study_results(run, study(trial_number=5, parameters=[MACS, LR]), CHAIN)
    figure = svg(FIGURES["study"], results)
    assert (marks(figure, "completed"), marks(figure, "front"), marks(figure, "promoted")) == (5, 2, 2)
    assert "front" in trials_table(results).rows[1]
    assert svg(FIGURES["importances"], results)


# What is refused.


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"objectives": ["macs"]}, r"optimize\.objectives is macs; expected val_accuracy, then at most one cost"),
        ({"objectives": ["macs", "val_accuracy"]}, r"objectives is macs, val_accuracy; expected val_accuracy, then"),
        ({"objectives": ["val_accuracy", "flops"]}, r"optimize\.objectives\.1 is flops; expected val_accuracy, macs, "),
        ({"objectives": [*TWO, "parameters"]}, r"optimize\.objectives is "),
        ({"search_algorithm": "NelderMeadOptimizer"}, "expected only val_accuracy for NelderMeadOptimizer"),
        ({"pruner": "median"}, r"optimize\.pruner is median; expected none with two objectives"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(changes, reason):
    with pytest.raises(InputError, match=reason):
        load({"optimize": {"trial_number": 4, "objectives": TWO, "parameters": PARAMETERS} | changes})


def test_objectives_may_be_text():
    assert load({"optimize": {"objectives": "[val_accuracy, macs]", "trial_number": 1}}).optimize.objectives == TWO


@pytest.mark.parametrize("parameter, refused", [(LR, True), (MACS, False)])
def test_a_cost_that_is_the_same_in_all_trials_is_refused(tmp_path, monkeypatch, parameter, refused):
    monkeypatch.chdir(tmp_path)
    dataset = {"name": "digits", "num_data_architecture_search": 600}
    spaces = str(Path(__file__).parents[2] / "config" / "search_spaces")
    optimize = {"trial_number": 4, "objectives": TWO, "parameters": [parameter]}
    config = load({"dataset": dataset, "nas": {"search_space_config_path": spaces}, "optimize": optimize})
    if not refused:
        return check(config, read_search_space(config))
    with pytest.raises(InputError, match=r"^optimize\.objectives has macs; .* all trials share one architecture"):
        check(config, read_search_space(config))


def test_latency_as_objective_needs_a_table():
    parameters = [PARAMETERS[0] | {"lower": 0.1}]
    optimize = {"trial_number": 4, "objectives": ["val_accuracy", "latency_ms"], "parameters": parameters}
    assert needs_latency(load({"optimize": optimize}))
    assert not needs_latency(load({"optimize": optimize | {"objectives": TWO}}))
