"""The page about a run: what it says at the end of a study, in its middle, without a search, and of damaged files."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nasmake.config.study import Optimize
from nasmake.core.files import read_csv, read_json, write_csv, write_json
from nasmake.pipeline.stages import CHAIN, CHAIN_WITHOUT_SEARCH
from nasmake.report.answer import Comparison, verdict
from nasmake.report.effort import duration
from nasmake.report.intervals import difference
from nasmake.report.page import report_page
from nasmake.report.results import read_study_results
from nasmake.report.study_figures import learning_curves, parallel_coordinates
from small_run import LR, MACS, configured_run, optimize, results_of

ROOT = Path(__file__).parents[2]
STUDY = optimize(4, MACS, LR)
TERMS = ["supernet", "one-shot", "inherited weights", "recalibration", "MACs", "lag", "Kendall's tau", "promote"]
TERMS += ["front", "hypervolume"]
FIGURES = {"architecture", "study", "parallel_coordinates", "learning_curves", "search_progress", "probabilities"}
FIGURES |= {"tradeoff"}


class Page(HTMLParser):
    """The text of a page, and its attributes `id`, `href` and `src`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name in ("href", "src", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def figures(self) -> set[str]:
        return {name.removesuffix("-figure_1") for name in self.ids if name.endswith("-figure_1")}


def page_of(run: Path) -> Page:
    return Page(report_page(run))


def run_of_few_figures(folder: Path, study: Optimize, **options) -> Path:
    """Write a run without histories, whose page takes less time."""
    run = configured_run(folder, study, **options)
    for history in run.glob("*/history"):
        shutil.rmtree(history)
    return run


def script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/make_report.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_first_screen_answers_the_question(tmp_path: Path):
    run = run_of_few_figures(tmp_path, STUDY)
    for trial, accuracy in ((0, 0.90), (3, 0.95)):
        path = run / f"trial-000{trial}" / "architecture.json"
        content = read_json(path)
        scores = {"val_accuracy": 0.99, "val_loss": 0.1, "random_val_accuracy": accuracy, "random_val_loss": 0.2}
        write_json(path, content | {"scores": content["scores"] | scores})
    best = run / "study" / "best.json"
    write_json(best, read_json(best) | {"baseline": {"name": "logistic regression", "test_accuracy": 0.6}})
    text = page_of(run).text
    answer = text[: text.index("How to read this page")]
    assert "Which network for digits, and was the search worth it?" in answer
    assert "75.00 % of 597 test images are classified correctly by the network of trial 3 (95 % interval" in answer
    assert "The search was worth it: its architecture scores higher than that of random search" in answer
    assert "val accuracy with inherited weights, n = 600 99.00 % 95.00 % +4.00 (" in answer
    assert "logistic regression test accuracy, n = 597 75.00 % 60.00 % +15.00 (" in answer
    assert "trial 0 (initial hyperparameters) val accuracy, n = 600 50.30 % 50.00 % +0.30 (" in answer
    assert "In 2 of 2 searches" in answer and "not complete" not in answer
    assert "MACs per image 714,880" in answer


def test_page_has_every_figure_unique_ids_no_dead_link_and_loads_nothing(tmp_path: Path):
    page = page_of(configured_run(tmp_path, optimize(8, MACS, LR)))
    assert page.figures == {*FIGURES, "importances"}
    assert len(page.ids) == len(set(page.ids))
    inside = [link for link in page.links if link.startswith("#")]
    assert {link[1:] for link in inside} <= set(page.ids) and len(inside) > 10
    assert all(link.startswith("data:") for link in page.links if not link.startswith("#"))
    assert all(re.search(rf"{re.escape(term)} [A-Z]", page.text[page.text.rindex("Glossary") :]) for term in TERMS)


def test_page_is_the_same_twice_and_escapes_text(tmp_path: Path):
    run = run_of_few_figures(tmp_path, STUDY, pruned=(0,))
    path = run / "trial-0000" / "result.json"
    write_json(path, read_json(path) | {"reason": "retrain: <script>alert('x')</script> & more"})
    page = report_page(run)
    assert "<script>" not in page and page == report_page(run)


def test_in_the_middle_of_a_study_the_page_says_what_is_missing(tmp_path: Path):
    run = configured_run(tmp_path, STUDY)
    shutil.rmtree(run / "study")
    for name in ("result.json", "history/retrain.csv"):
        (run / "trial-0003" / name).unlink()
    page = page_of(run)
    assert "The study is not complete. 3 of 4 trials have ended, 1 more has begun." in page.text
    assert "The best network below leads so far by val accuracy." in page.text
    assert "50.20 % of 600 val images are classified correctly by the network of trial 2" in page.text
    assert "It has no test accuracy yet" in page.text
    assert page.figures == FIGURES


def test_before_the_first_stage_has_ended_the_page_has_no_figure(tmp_path: Path):
    run = configured_run(tmp_path, STUDY)
    for folder in ("study", *(f"trial-000{trial}" for trial in range(4)), "shared"):
        shutil.rmtree(run / folder)
    page = page_of(run)
    assert page.figures == set() and "0 of 4 trials have ended, 0 more have begun" in page.text
    assert "No trial has completed yet, so there is no best network." in page.text
    assert page.text.count("Not there yet") == 8


def test_counts_are_those_of_the_run_and_not_of_an_earlier_larger_study(tmp_path: Path):
    run_of_few_figures(tmp_path, optimize(6, MACS, LR))
    page = page_of(run_of_few_figures(tmp_path, STUDY))
    assert "trials 4 of 4" in page.text and "4 trials: 4 completed" in page.text


def test_a_study_that_was_extended_keeps_the_best_network_until_its_end(tmp_path: Path):
    run = run_of_few_figures(tmp_path, STUDY)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("trial_number: 4", "trial_number: 6"))
    page = page_of(run)
    assert "4 of 6 trials have ended" in page.text and "is that of the earlier, smaller study" in page.text
    assert "75.00 % of 597 test images" in page.text


def test_without_a_search_the_page_asks_another_question(tmp_path: Path):
    page = page_of(configured_run(tmp_path, optimize(4, LR), chain=CHAIN_WITHOUT_SEARCH))
    assert "How well does mobilenet_v2 classify digits?" in page.text and "Nothing was searched" in page.text
    assert page.figures == {"architecture", "study", "parallel_coordinates", "learning_curves"}
    assert "Progress of the search" not in page.text


def test_cost_is_summed_by_stage_and_names_what_trials_share(tmp_path: Path):
    run = run_of_few_figures(tmp_path, STUDY)
    block = {"seconds": 90.0, "started": "2026-01-01T00:00:00Z", "host": "node1", "platform": "Linux", "python": "3.12"}
    block |= {"versions": {"torch": "2.13"}, "revision": "abc", "device": "CPU"}
    write_json(run / "shared" / "supernet.json", {"provenance": block})
    for trial in range(4):
        path = run / f"trial-000{trial}" / "result.json"
        write_json(path, read_json(path) | {"provenance": block | {"host": f"node{trial}"}})
        write_csv(run / f"trial-000{trial}" / "benchmarks" / "retrain.tsv", [{"cpu_time": "60.5"}], ["cpu_time"])
    text = page_of(run).text
    assert "train_supernet 1 1.5 min not measured once for all 4 trials: no searched hyperparameter changes it" in text
    assert f"retrain 4 6.0 min 4.0 min once per trial: {LR['name']} changes it" in text
    assert "search, all trials 1.5 min of device time training, all trials 6.0 min of device time, 4.0 min" in text
    assert "machine node0; node1; node2; node3" in text and "torch 2.13" in text


@pytest.mark.parametrize("name", ["study/best.json", "trial-0001/result.json", "trial-0002/history/retrain.csv"])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path: Path, name: str):
    run = configured_run(tmp_path, STUDY)
    (run / name).write_text('{"trial": ')
    failed = script(tmp_path, "--run", "small")
    assert failed.returncode == 1 and failed.stderr.startswith(f"error: results/small/{name}: ")
    assert failed.stderr.count("\n") == 1 and not (run / "report.html").exists()


def test_script_takes_a_name_or_configuration_files(tmp_path: Path):
    run = run_of_few_figures(tmp_path, STUDY)
    for folder in ("study", "shared", *(f"trial-000{trial}" for trial in range(4))):
        shutil.rmtree(run / folder)
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / "a.yaml").write_text("dataset: {name: digits, num_data_architecture_search: 600}\n")
    (tmp_path / "b.yaml").write_text("run: small\n")
    for named in (("--run", "small"), ("a.yaml", "b.yaml")):
        (run / "report.html").unlink(missing_ok=True)
        assert script(tmp_path, *named).stdout == "report: results/small/report.html\n"
        assert (run / "report.html").is_file()
    absent = script(tmp_path, "--run", "other")
    expected = "results/other: no config.yaml; expected the folder of a run that was started"
    assert (absent.returncode, absent.stderr) == (1, f"error: {expected}\n")


@pytest.mark.parametrize(
    ("ours", "theirs", "reading"), [(0.99, 0.9, "better"), (0.9, 0.99, "worse"), (0.99, 0.985, "not told apart")]
)
def test_a_difference_is_read_by_its_interval(ours: float, theirs: float, reading: str):
    found = Comparison("random search of equal cost", "", ours, theirs, difference(ours, theirs, 600))
    assert found.reading == reading
    start = {"better": "The search was worth it", "worse": "The search was not", "not told apart": "It is not shown"}
    assert verdict([found], has_search=True).startswith(start[reading])
    assert "is not known" in verdict([], has_search=True)


def test_durations_have_one_unit():
    assert [duration(seconds) for seconds in (5.4, 90, 5400)] == ["5 s", "1.5 min", "1.5 h"]


# Figures of the page that the rule draws as well.


def test_best_so_far_never_falls(tmp_path: Path):
    results = results_of(tmp_path, STUDY)
    path = tmp_path / "trial-0000" / "history" / "search_architecture.csv"
    rows = read_csv(path)
    changed = [row | {"best_val_accuracy": value} for row, value in zip(rows, (0.9, 0.8, 0.95), strict=True)]
    write_csv(path, changed, list(rows[0]))
    results = read_study_results(tmp_path, STUDY, CHAIN)
    lines = {line.get_gid(): line for axes in learning_curves(results).axes for line in axes.get_lines()}
    assert list(lines["search_architecture-trial-0000"].get_ydata()) == [90, 90, 95]


def test_vertical_axis_of_learning_curves_tells_their_ends_apart(tmp_path: Path):
    axes = learning_curves(results_of(tmp_path, STUDY, pruned=(1,))).axes[2]
    low, high = axes.get_ylim()
    ends = [line.get_ydata()[-1] for line in axes.get_lines() if len(line.get_ydata()) == 20]
    assert 43 < low < min(ends) < max(ends) < high < 51  # the curves rise from 10 %


def test_parallel_coordinates_cross_every_axis_at_the_value_of_the_trial(tmp_path: Path):
    rare = LR | {"name": "supernet.momentum", "when": {"supernet.optimizer": ["sgd"]}}
    kinds = {"name": "supernet.optimizer", "type": "categorical", "choices": ["sgd", "adam"]}
    results = results_of(tmp_path, STUDY)
    lines = {line.get_gid(): line.get_ydata() for line in parallel_coordinates(results).axes[0].get_lines()}
    macs, lr = STUDY.parameters
    values = results.params[0]
    assert list(lines["trial-0"]) == [macs.coordinate(values[macs.name]), lr.coordinate(values[lr.name]), 0]
    assert lines["trial-3"][-1] == pytest.approx(1)
    several = optimize(4, kinds, rare)
    results = read_study_results(tmp_path, several, CHAIN)
    assert parallel_coordinates(results)
