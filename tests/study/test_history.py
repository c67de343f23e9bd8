"""The chain of suggestions that holds the history of a study."""

import pytest
from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.records import COMPLETE, PRUNED, RUNNING, trial_folder
from nasmake.study.history import checksum, history_of, read_suggestions
from small_results import replay

LAG, TRIALS = 3, 12


def objective(trial, params):
    if trial % 5 == 3:
        return {"trial": trial, "state": PRUNED, "value": None}
    return {"trial": trial, "state": COMPLETE, "value": params["lam"] / 10 + trial / 100}


def suggestions_of(outcome):
    parameters = [{"name": "lam", "type": "uniform_int", "lower": 1, "upper": 1000}]
    settings = {"lag": LAG, "search_algorithm": "RandomOptimizer", "trial_number": TRIALS, "parameters": parameters}
    return replay(Optimize.model_validate(settings), outcome)


@pytest.fixture(scope="module")
def suggestions():
    return suggestions_of(objective)


@pytest.fixture
def run(tmp_path, suggestions):
    """The folder of a run, with suggestions in the form of scripts/suggest.py."""
    written = []
    for trial, suggestion in enumerate(suggestions):
        previous = {"previous": checksum(written[-1])} if written else {}
        written.append(suggestion | {"study": {"version": 3}} | previous)
        write_json(path_of(tmp_path, trial), written[-1] | {"provenance": {"host": f"host-{trial}"}})
    return tmp_path


def path_of(run, trial):
    return run / trial_folder(trial) / "suggestion.json"


def test_the_history_has_what_each_trial_may_know(suggestions):
    for number in range(TRIALS):
        observed = suggestions[number]["observed"]
        history = history_of(suggestions[:number], observed)
        assert [entry["trial"] for entry in history] == list(range(number))
        for entry in history:
            known = objective(entry["trial"], entry["params"]) if entry["trial"] <= number - LAG else {}
            assert entry["state"] == known.get("state", RUNNING) and entry["value"] == known.get("value")
            assert entry["params"] == suggestions[entry["trial"]]["params"]
    assert {entry["state"] for entry in history} == {COMPLETE, PRUNED, RUNNING}


def test_the_chain_is_read_in_the_order_of_trials(run, suggestions):
    read = read_suggestions(path_of(run, 7))
    assert [suggestion["params"] for suggestion in read] == [suggestion["params"] for suggestion in suggestions[:8]]
    assert history_of(read) == history_of(suggestions[:8])
    assert len(read_suggestions(path_of(run, 0))) == 1


def test_a_changed_result_changes_every_suggestion_from_the_one_that_observes_it(suggestions):
    changed = suggestions_of(lambda trial, params: objective(trial, params) | ({"value": 0.0} if trial == 4 else {}))
    is_equal = [before == after for before, after in zip(suggestions, changed, strict=True)]
    assert is_equal == [True] * (4 + LAG) + [False] * (TRIALS - 4 - LAG)
    assert [one["params"] for one in changed] == [one["params"] for one in suggestions]  # random points


def test_another_machine_or_date_does_not_break_the_chain(run):
    path = path_of(run, 2)
    write_json(path, read_json(path) | {"provenance": {"host": "another"}})
    assert len(read_suggestions(path_of(run, 5))) == 6


def test_a_missing_suggestion_is_one_line(run):
    path_of(run, 2).unlink()
    with pytest.raises(InputError) as error:
        read_suggestions(path_of(run, 5))
    assert str(error.value).startswith(f"{path_of(run, 2)}: no such file") and "\n" not in str(error.value)


@pytest.mark.parametrize("field, value", [("params", {"lam": 9}), ("observed", None), ("trial", 1), ("previous", "x")])
def test_a_changed_suggestion_is_refused_with_its_path_and_a_repair(run, field, value):
    path = path_of(run, 4)
    expected, content = read_json(path_of(run, 5))["previous"], read_json(path) | {field: value}
    write_json(path, content)
    with pytest.raises(InputError) as error:
        read_suggestions(path_of(run, 8))
    assert str(error.value) == (
        f"{path}: checksum is {checksum(content)}; expected {expected} as trial 5 read it; "
        f"type: rm {path}, then the same command again"
    )


def test_the_newest_suggestion_is_checked_by_its_fields(run):
    path = path_of(run, 6)
    write_json(path, read_json(path) | {"observed": {"trial": 3, "state": "COMPLETE"}})
    with pytest.raises(InputError, match=r"suggestion\.json: observed\.value is missing; expected a finite number"):
        read_suggestions(path)
