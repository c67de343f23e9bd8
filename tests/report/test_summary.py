import csv
import json
from pathlib import Path

import pytest
import yaml
from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.records import json_of
from nasmake.report.summary import best_of, promote, seed_notes, table, trial_columns, trial_rows, write_resolved
from small_results import PREPROCESSING, diverged, final, final_records, main_of, records, result


def test_promotion_is_by_val_accuracy_then_loss_then_number():
    results = records(result(0, 0.5), result(1, 0.9, 0.3), result(2, 0.9, 0.2), result(3, 0.9, 0.2), diverged(4))
    assert promote(results, 4) == [2, 3, 1, 0]
    assert promote(results[::-1], 1) == [2]


def test_fewer_completed_than_asked_for_are_all_promoted():
    assert promote(records(diverged(0), result(1, 0.1), diverged(2)), 3) == [1]


def test_no_completed_trial_is_an_error_of_one_line_with_the_reason():
    with pytest.raises(InputError) as error:
        promote(records(diverged(0), diverged(1)), 1)
    assert str(error.value).startswith("no trial of 2 completed") and "not finite in epoch 1" in str(error.value)


def test_best_is_by_val_and_never_by_test():
    high, low = final_records(final(1, 0.9, 0.8), final(0, 0.8, 0.99))
    folder, best = best_of({Path("b"): high, Path("a"): low})
    assert folder == Path("b") and json_of(best).keys() == BEST_KEYS | {"test_interval", "test_over_trial_0"}
    assert (best.trial, best.test_accuracy, best.test_n) == (1, 0.8, 597)


def test_first_of_several_final_trainings_is_the_best_network_and_their_spread_is_told():
    first, better, broken = final_records(final(1, 0.9, 0.8), final(1, 0.9, 0.9), final(1, 0.9, None, state="PRUNED"))
    repeats = {1: [first, better, broken]}
    _, best = best_of({Path("b"): first}, repeats=repeats)
    assert best.test_accuracy == 0.8 and best.final_seeds is not None
    assert best.final_seeds.test_accuracies == [0.8, 0.9] and best.final_seeds.mean == pytest.approx(0.85)
    assert best.final_seeds.standard_deviation == pytest.approx(0.1 / 2**0.5)
    (line,) = seed_notes(repeats)
    assert line.startswith("trial 1: test 0.8500, standard deviation 0.0707 of 2 final trainings (3 seeds)")
    assert best_of({Path("b"): first}, repeats={1: [first]})[1].final_seeds is None


def test_best_leaves_out_final_trainings_that_diverged():
    baseline = {"name": "logistic regression", "test_accuracy": 0.9}
    stopped = result(1, 0.99, 0.1) | diverged(1, "retrain_final: not finite")
    broken, complete = final_records(stopped, final(0, 0.8, 0.9, baseline=baseline, preprocessing=PREPROCESSING))
    folder, best = best_of({Path("b"): broken, Path("a"): complete})
    assert folder == Path("a") and json_of(best)["baseline"] == baseline
    assert json_of(best)["preprocessing"] == PREPROCESSING
    with pytest.raises(InputError, match="no final training of 1 promoted trials completed; retrain_final: not finite"):
        best_of({Path("b"): broken})


BEST_KEYS = {
    *("trial", "val_accuracy", "val_loss", "test_accuracy", "test_loss", "test_n"),
    *("parameters", "macs", "architecture"),
}
OPTIMIZE = Optimize.model_validate(
    {"parameters": [{"name": "initial_lr", "type": "uniform_float", "lower": 0.1, "upper": 1}]}
)


def test_rows_have_the_columns():
    results, finals = records(result(0, 0.5), diverged(1)), final_records(final(0, 0.5, 0.6))
    rows = trial_rows(results, [{"initial_lr": 0.2}, {"initial_lr": 0.9}], finals)
    assert all(set(row) == set(trial_columns(OPTIMIZE, results[:1])) for row in rows)
    assert (rows[0]["test_accuracy"], rows[0]["initial_lr"]) == (0.6, 0.2)
    assert rows[1]["state"] == "PRUNED" and rows[1]["val_accuracy"] is None and rows[1]["test_accuracy"] is None


def test_latency_is_shown_only_where_there_is_one():
    plain, timed, stopped = records(result(0, 0.5), result(0, 0.5, latency_ms=1.23456), diverged(1))
    assert "latency_ms" not in trial_columns(OPTIMIZE, [plain])
    rows, columns = trial_rows([timed, stopped], [{}, {}], []), trial_columns(OPTIMIZE, [timed, stopped])
    assert columns.index("latency_ms") == columns.index("macs") + 1
    assert [row["latency_ms"] for row in rows] == [1.23456, None]
    finals = final_records(final(0, 0.8, 0.9, latency_ms=1.23456))
    head, line = table(finals, Path("x")).splitlines()[:2]
    assert "1.235 ms  net0" in line and head.index("latency") + 7 == line.index(" ms") + 3
    assert "latency" not in table(final_records(final(0, 0.8, 0.9)), Path("x"))
    assert best_of({Path("a"): finals[0]})[1].latency_ms == 1.23456


def test_table_lists_the_promoted_best_first_with_the_baseline_once():
    baseline = {"name": "logistic regression", "test_accuracy": 0.95}
    finals = final_records(final(0, 0.8, 0.9, baseline=baseline), final(7, 0.9, None, baseline=baseline))
    lines = table(finals, Path("results/x")).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["7", "0"]
    assert lines[1].split() == ["7", "0.9000", "-", "-", "-", "1,007", "2,000,000", "net7"]
    assert sum("logistic regression" in line and "0.9500" in line for line in lines) == 1
    assert any("test: 597 images" in line for line in lines)
    ends = [line.index(cell) + len(cell) for line, cell in zip(lines[:2], ("MACs", "2,000,000"), strict=True)]
    assert ends[0] == ends[1]


def test_table_with_a_final_training_that_diverged():
    broken = final(1, 0.9, None, state="PRUNED", test_n=None)
    assert "net1" in table(final_records(broken), Path("x"))


def test_resolved_configuration_is_written_once(tmp_path):
    path, content = tmp_path / "run" / "config.yaml", {"b": {"x": 1e-5, "y": None}, "a": ["text", True]}
    write_resolved(path, content)
    assert yaml.safe_load(path.read_text()) == content
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_resolved(path, content)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    write_resolved(path, content | {"c": 1})
    assert yaml.safe_load(path.read_text())["c"] == 1


# The scripts.


def write_study(run):
    """Two completed trials, of which both are promoted, and a diverged one between them."""
    results = [result(0, 0.5), diverged(1), result(2, 0.9)]
    for number, content in enumerate(results):
        unit = run / f"trial-{number:04d}"
        write_json(unit / "result.json", content | {"provenance": {"host": "a"}})
        write_json(unit / "suggestion.json", {"trial": number, "params": {"initial_lr": 0.25 * (number + 1)}})
        if content["state"] == "COMPLETE":
            write_json(unit / "final.json", final(number, content["val_accuracy"], 0.4) | {"provenance": {}})
            (unit / "final.safetensors").write_bytes(b"weights %d" % number)


def test_promote_script(tmp_path, capsys):
    run = tmp_path / "run"
    write_study(run)
    main_of("promote")(["--top", "2", "--run", str(run), "--trials", "3", "--out", str(tmp_path / "promoted.json")])
    assert read_json(tmp_path / "promoted.json")["trials"] == [2, 0]
    assert capsys.readouterr().out == "promoted: [2, 0]\n"


def test_summarize_script(tmp_path):
    run = tmp_path / "run"
    write_study(run)
    write_json(run / "study" / "promoted.json", {"trials": [2, 0]})
    numbers = ["--trials", "3", "--val-images", "80"]
    main_of("summarize_study")(["--study", OPTIMIZE.model_dump_json(), "--run", str(run), *numbers])
    best = json.loads((run / "study" / "best.json").read_text())
    assert {key: best[key] for key in ("trial", "val_accuracy", "test_accuracy", "test_n")} == {
        "trial": 2,
        "val_accuracy": 0.9,
        "test_accuracy": 0.4,
        "test_n": 597,
    }
    over = {"val_over_trial_0", "test_over_trial_0"}
    assert best.keys() == BEST_KEYS | over | {"val_n", "val_interval", "test_interval", "provenance"}
    assert best["val_over_trial_0"] == {"value": 0.4, "low": 0.26326, "high": 0.517483}
    assert (run / "best" / "model.safetensors").read_bytes() == b"weights 2"
    with (run / "study" / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["trial"], row["state"], row["initial_lr"]) for row in rows] == [
        ("0", "COMPLETE", "0.25"),
        ("1", "PRUNED", "0.5"),
        ("2", "COMPLETE", "0.75"),
    ]
    assert [row["test_accuracy"] for row in rows] == ["0.4", "", "0.4"]
    assert [row["val_over_trial_0_low"] for row in rows] == ["", "", "0.26326"]
    assert "net2" in (run / "study" / "summary.txt").read_text().splitlines()[1]
