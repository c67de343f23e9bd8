import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, write_json
from nasmake.core.records import (
    BestNetwork,
    CompletedTrial,
    Suggestion,
    SupernetRecord,
    TrialResult,
    json_of,
    read_best,
    read_final,
    read_promoted,
    read_result,
    read_suggestion,
    read_supernet,
    record_of,
    result_of,
    trial_folder,
    trial_number,
)
from small_results import PREPROCESSING, diverged, final, result

PATH = Path("run/trial-0001/result.json")
REPAIR = f"; type: rm {PATH}, then the same command again"
OBSERVED = {"trial": 0, "state": "COMPLETE", "value": 0.5}
SUGGESTION = {"trial": 1, "params": {"lam": 4}, "previous": "0" * 16, "observed": OBSERVED}
SPACE, DATA = {"name": "small", "hash": "0" * 16}, {"train_images.npy": "ab"}
BEST = {name: value for name, value in final(1, 0.5, None).items() if name not in ("state", "value")}
SUPERNET = {"state": "PRUNED", "reason": "train_supernet: nan", "search_space": SPACE, "settings": {}, "data": DATA}


def error_of(kind, content):
    with pytest.raises(InputError) as error:
        record_of(kind, content, PATH)
    text = str(error.value)
    assert "\n" not in text and text.startswith(f"{PATH}: ") and text.endswith(REPAIR)
    return text.removeprefix(f"{PATH}: ").removesuffix(REPAIR)


def test_folder_and_number_of_a_trial_belong_together():
    assert trial_folder(7) == "trial-0007" and trial_number("trial-0007") == 7
    assert trial_number(trial_folder(12345)) == 12345 and trial_number("shared") is None


@pytest.mark.parametrize(
    "reader, content",
    [
        (read_suggestion, {"trial": 0, "params": {"lam": 4}}),
        (read_suggestion, SUGGESTION),
        (read_suggestion, SUGGESTION | {"prune_below": [None, 0.5]}),
        (read_result, result(1, 0.5)),
        (read_result, result(1, 1, latency_ms=2.5, val_accuracies=[0, 1])),
        (read_final, final(1, 0.5, 0.6) | {"baseline": {"name": "logistic regression", "test_accuracy": 0.9}}),
        (read_best, BEST | {"preprocessing": PREPROCESSING}),
        (read_supernet, SUPERNET),
    ],
)
def test_a_record_keeps_every_value_and_skips_unknown_fields(tmp_path, reader, content):
    write_json(tmp_path / "file.json", content | {"provenance": {"host": "a"}, "epochs": 3})
    read = json_of(reader(tmp_path / "file.json"))
    assert canonical_json(read) == canonical_json({name: content[name] for name in read})  # 1 stays 1, not 1.0
    assert content.keys() - read.keys() <= {"value"}  # only final.json leaves out a field, which is the trial's


def test_state_decides_which_record_a_result_is():
    completed, stopped = result_of(result(1, 0.5), PATH), result_of(diverged(2, "retrain: nan: epoch 1"), PATH)
    assert isinstance(completed, CompletedTrial) and completed.stopped_in is None
    assert type(stopped) is TrialResult and stopped.stopped_in == "retrain"
    assert stopped.value is None and stopped.macs is None


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"value": None}, "value is null; expected a finite number"),
        ({"value": math.nan}, "value is NaN; expected a finite number"),
        ({"val_loss": math.inf}, "val_loss is Infinity; expected a finite number"),
        ({"val_accuracy": "0.5"}, 'val_accuracy is "0.5"; expected a finite number'),
        ({"macs": 1.5}, "macs is 1.5; expected a whole number"),
        ({"trial": True}, "trial is true; expected a whole number"),
        ({"architecture": ["a"]}, 'architecture is ["a"]; expected text'),
        ({"val_accuracies": [0.5, None]}, "val_accuracies[1] is null; expected a finite number"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(changes, text):
    assert error_of(CompletedTrial, result(1, 0.5) | changes) == text


@pytest.mark.parametrize("state", ["DONE", "RUNNING", None, 1])
def test_an_unknown_state_is_refused(state):
    assert error_of(TrialResult, diverged(1) | {"state": state}).endswith("; expected one of COMPLETE, PRUNED, FAIL")


@pytest.mark.parametrize("name", ["trial", "state", "value", "val_accuracy", "val_loss", "architecture", "macs"])
def test_a_completed_trial_has_all_scores(name):
    content = result(1, 0.5)
    del content[name]
    assert error_of(CompletedTrial, content).startswith(f"{name} is missing; expected ")


def test_errors_in_nested_objects_name_the_whole_path():
    assert error_of(Suggestion, SUGGESTION | {"observed": 3}) == "observed is 3; expected an object"
    text = 'observed.state is "DONE"; expected one of '
    assert error_of(Suggestion, SUGGESTION | {"observed": OBSERVED | {"state": "DONE"}}).startswith(text)
    text = "observed.value is missing; expected a finite number or null"
    assert error_of(Suggestion, SUGGESTION | {"observed": {"trial": 0, "state": "COMPLETE"}}) == text
    text = "search_space.hash is 5; expected text"
    assert error_of(SupernetRecord, SUPERNET | {"search_space": SPACE | {"hash": 5}}) == text


def test_the_best_network_needs_test_scores_even_if_they_are_null():
    content = dict(BEST)
    assert json_of(record_of(BestNetwork, content, PATH))["test_accuracy"] is None
    del content["test_accuracy"]
    assert error_of(BestNetwork, content) == "test_accuracy is missing; expected a finite number or null"
    wrong = {"test_accuracy": 1, "test_n": 2, "baseline": {"name": "x"}}
    text = "baseline.test_accuracy is missing; expected a finite number"
    assert error_of(BestNetwork, content | wrong) == text


def test_a_file_that_is_missing_or_no_object_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_result(tmp_path / "result.json")
    (tmp_path / "result.json").write_text("[1]")
    with pytest.raises(InputError, match=r"result\.json"):
        read_result(tmp_path / "result.json")


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("value", 10**400, "value is 1000"),
        ("value", math.nan, "value is NaN; expected a finite number or null"),
        ("val_accuracies", [0.5, math.inf], "val_accuracies[1] is Infinity; expected a finite number"),
        ("state", ["COMPLETE"], 'state is ["COMPLETE"]; expected one of '),
        ("architecture", 5, "architecture is 5; expected text"),
    ],
)
def test_nonsense_in_a_result_is_refused_and_never_promoted(field, value, line):
    assert error_of(CompletedTrial, result(1, 0.5) | {field: value}).startswith(line.removesuffix(" or null"))


def test_names_of_fields_and_values_are_cut():
    text = error_of(SupernetRecord, SUPERNET | {"data": {"x" * 10_000: [1] * 10_000}})
    assert text.startswith("data.xxx") and len(text) < 200


def test_missing_object_is_named_as_one():
    @dataclass
    class Outer:
        inner: SupernetRecord

    assert error_of(Outer, {}) == "inner is missing; expected an object"


@pytest.mark.parametrize("content", [{}, {"trials": 1}, {"trials": ["1"]}, {"trials": [True]}])
def test_promotion_without_numbers_of_trials(tmp_path, content):
    write_json(tmp_path / "promoted.json", content)
    with pytest.raises(InputError, match=r"promoted\.json: trials"):
        read_promoted(tmp_path / "promoted.json")
