"""scripts/compare_runs.py: the table of several runs, the settings that differ, and the figure."""

import csv
from xml.etree import ElementTree

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_csv, write_json
from nasmake.report.compare import comparison, read_run
from nasmake.report.intervals import with_interval
from nasmake.report.summary import trial_columns, trial_rows
from small_results import diverged, main_of, records, result
from small_run import LR, MACS, optimize, small_run

compare_runs = main_of("compare_runs")


@pytest.fixture(autouse=True)
def at_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_run(tmp_path, name, trials=3, parameters=(MACS,), test=450, **settings):
    """Write a finished run of which `test` of 597 test images were classified correctly."""
    study = optimize(trials, *parameters)
    small_run(tmp_path / name, study)
    best = tmp_path / name / "study" / "best.json"
    interval = with_interval(test / 597, 597)
    facts = {"value": interval.value, "low": interval.low, "high": interval.high}
    write_json(best, read_json(best) | {"test_accuracy": test / 597, "test_interval": facts})
    config = {"dataset": {"name": "digits"}, "optimize": study.model_dump(mode="json")} | settings
    (tmp_path / name / "config.yaml").write_text(yaml.safe_dump({"run": name} | config))
    return tmp_path / name


def lines_of(*names):
    return comparison([read_run(name) for name in names])


def test_table_has_accuracies_with_intervals_costs_and_seconds(tmp_path, capsys):
    write_run(tmp_path, "a")
    job = {"stage": "search_supernet", "device": "CPU", "processes": 1, "cpu_seconds": 1.0}
    for unit, seconds in (("trial-0000", 10), ("trial-0001", 20.5), ("shared", 1000)):
        for record in ("supernet.json", "architecture.json"):  # one job of search_supernet writes both
            path = tmp_path / "a" / unit / record
            content = read_json(path) if path.is_file() else {}
            write_json(path, content | {"provenance": job | {"seconds": seconds}})
    write_run(tmp_path, "b", test=540)
    compare_runs(["a", "b"])
    head, first, second, *notes = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "val", "interval", "test", "interval", "parameters", "MACs", "seconds"]
    assert first.split() == ["a", "0.5020", "-", "0.7538", "0.7177..0.7866", "35,794", "714,880", "1,030"]
    assert second.split()[:4] == ["b", "0.5020", "-", "0.9045"]
    assert "b minus a: test +0.1508 (+0.1087..+0.1926)" in notes
    assert notes[-1] == "settings: no difference"


def test_settings_that_differ_have_one_line_each(tmp_path):
    write_run(tmp_path, "a")
    changed = MACS | {"upper": 1500000}
    write_run(tmp_path, "b", parameters=(changed, LR), supernet={"lr": 0.1}, retrain={"cutout_length": 2})
    table = lines_of(tmp_path / "a", tmp_path / "b")
    start = next(number for number, line in enumerate(table) if line.startswith("settings that differ"))
    differing = {line.split()[0]: line.split()[1:] for line in table[start + 1 :]}
    assert differing["supernet.lr"] == ["0.05", "0.1"] and differing["retrain.cutout_length"] == ["null", "2"]
    assert differing["optimize.parameters.search.constraint.macs.upper"] == ["1600000.0", "1500000.0"]
    assert differing["optimize.parameters.retrain.hyperparameters.base_lr.lower"] == ["-", "0.01"]
    assert "optimize.parameters.search.constraint.macs.lower" not in differing and "run" not in differing
    assert not any("the data differ" in line for line in table)


def test_other_data_are_told(tmp_path):
    write_run(tmp_path, "a")
    write_run(tmp_path, "b", dataset={"name": "cifar10"})
    assert any(line.startswith("the data differ") for line in lines_of(tmp_path / "a", tmp_path / "b"))


def test_unfinished_and_damaged_runs_have_one_line(tmp_path, capsys):
    write_run(tmp_path, "a")
    unfinished, damaged, wrong = (write_run(tmp_path, name) for name in ("half", "damaged", "wrong"))
    (unfinished / "study" / "best.json").unlink()
    (unfinished / "trial-0002" / "result.json").unlink()
    (damaged / "study" / "best.json").write_text('{"trial": 1')
    (wrong / "config.yaml").write_text("supernet: {batchsize: 1}")
    compare_runs(["a", "half", "damaged", "wrong", "--output", "compare.svg"])
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:5]}
    assert rows["half"].split(maxsplit=1)[1] == "unfinished: 2 of 3 trials have a result"
    assert rows["damaged"].split(maxsplit=1)[1].startswith("damaged: damaged/study/best.json: not JSON")
    assert "damaged: config: supernet.batchsize: unknown key; did you mean batch_size?" in rows["wrong"]
    assert (tmp_path / "compare.svg").is_file()


def test_figure_has_a_mark_for_each_accuracy_and_the_same_bytes_each_time(tmp_path):
    names = [write_run(tmp_path, name, test=test, run="x").name for name, test in (("a", 450), ("b$1$", 540))]
    for output in ("one.svg", "two.svg"):
        compare_runs([*names, "--output", output])
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    text = (tmp_path / "one.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert text.count(">a</text>") == text.count(">b$1$</text>") == 2


def test_no_run_and_nothing_to_draw_are_errors_of_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^gone: no config\.yaml; expected the folder of a run that was started$"):
        compare_runs(["gone"])
    (write_run(tmp_path, "a") / "study" / "best.json").unlink()
    with pytest.raises(InputError, match=r"^--output: no run is finished, so there is nothing to draw"):
        compare_runs(["a", "--output", "compare.svg"])


def test_table_of_trials_opens_in_a_spreadsheet(tmp_path):
    """A plain header, one line per trial, and numbers that are numbers."""
    choices = {"name": "search.front", "type": "categorical", "choices": [["macs"], ["macs", "parameters"]]}
    study = optimize(3, LR, choices)
    results = records(result(0, 0.9), diverged(1), result(2, 0.8))
    params = [{"search.front": choice, LR["name"]: 1e-05} for choice in (["macs"], ["macs", "parameters"], ["macs"])]
    write_csv(tmp_path / "trials.csv", trial_rows(results, params, [], 600), trial_columns(study, results))
    lines = (tmp_path / "trials.csv").read_bytes().decode("ascii").splitlines()
    header, *rows = csv.reader(lines)
    assert len(lines) == 4 and {len(row) for row in rows} == {len(header)}
    assert all(name.replace(".", "").replace("_", "").isalnum() for name in header) and len({*header}) == len(header)
    words = {"state", "architecture", "reason", "search.front"}
    cells = [cell for row in rows for name, cell in zip(header, row, strict=True) if name not in words and cell]
    assert len(cells) > 20 and all(isinstance(float(cell), float) and "," not in cell for cell in cells)
