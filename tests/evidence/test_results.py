"""evidence.results, evidence.table, evidence.drawing and scripts/evidence.py, from files of measurements."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up import EVIDENCE, STRATEGIES, make_run
from nasmake.evidence import results, table
from nasmake.evidence.drawing import draw
from nasmake.report.style import svg

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def findings(run):
    every = results.recalibration(run, EVIDENCE) + results.ranking(results.read_ranking(run, EVIDENCE))
    every += results.selection(run, EVIDENCE, STRATEGIES)
    return {finding.key: finding for finding in every}


def test_recalibration_is_paired_by_supernet(findings):
    assert findings["recalibration_gain"].value == pytest.approx(0.7)
    assert findings["recalibrated_accuracy"].reached and findings["recalibration_gain"].reached


def test_ranking_finds_what_was_put_in(findings):
    good, raw, control = findings["tau"], findings["tau_raw"], findings["control"]
    assert good.low < good.value < good.high and good.value > 0.6 > abs(raw.value)
    assert good.n == 24 and good.value == pytest.approx(np.mean(good.by)) and len(good.by) == 3
    assert good.reached and control.reached and abs(control.value) < 0.3
    assert findings["spearman"].value > good.value and findings["ceiling"].value > good.value - 0.1


def test_trivial_predictors_know_what_they_know(findings):
    assert findings["tau_parameters"].value > 0.8  # more parameters, smaller loss: so it was made
    assert findings["tau_macs"].value == 0  # all the same
    assert findings["partial_macs"].value == pytest.approx(findings["tau"].value)
    assert findings["partial_parameters"].value < findings["tau"].value / 2


def test_selection_is_a_difference_of_test_losses_by_search_seed(findings):
    assert findings["evolution_worst"].value == pytest.approx(0.6, abs=0.02)
    assert findings["evolution_random"].value == pytest.approx(0.3, abs=0.02)
    assert findings["evolution_equal_cost"].value == pytest.approx(0.2, abs=0.02)
    assert findings["random_worst"].value == pytest.approx(0.4, abs=0.02)
    assert findings["pooled_worst"].value == pytest.approx(0.5, abs=0.02)
    assert "random_equal_cost" not in findings  # with itself
    assert findings["pooled_worst"].reached and findings["pooled_worst"].n == 3
    assert findings["pooled_share"].value == pytest.approx(1, abs=0.1)


def test_table_says_what_was_not_reached(run, tmp_path):
    hopeless = make_run(tmp_path / "noise", noise=50)
    findings = results.ranking(results.read_ranking(hopeless, EVIDENCE))
    text = table.markdown(findings, "measured somehow")
    assert text.startswith("measured somehow") and "NOT REACHED: tau of inherited log-loss" in text
    assert "**no**" in text and "* reached: control" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, ".250"), (-0.25, "-.250"), (-0.0004, ".000"), (0.9996, "1.00"), (-1.0, "-1.00"), (10.05, "10.05")],
)
def test_numbers_are_short(value, text):
    finding = results.Finding("spearman", "ranking", "a text", value, value, value, 0.95, 9, "something")
    assert f"| {text} " in table.markdown([finding], "")


def test_drawing_shows_every_interval(findings, run):
    drawing = svg(draw, list(findings.values()), results.read_ranking(run, EVIDENCE)).decode()
    for key in ("tau", "ceiling", "control", "pooled_worst", "evolution_equal_cost"):
        assert f'id="{key}' in drawing


def test_script_writes_table_figure_page_and_facts(run):
    for strategy in ("asng", "reinforce", "nsga2", "proxyless"):  # those the made-up searches did not run
        for seed in EVIDENCE.seeds:
            path = run / f"selection-{seed}" / "networks.json"
            content = json.loads(path.read_text())
            content["networks"][0]["roles"].append(strategy)
            content["networks"][1]["roles"].append(f"random-{strategy}")
            path.write_text(json.dumps(content))
    settings = json.dumps(EVIDENCE.model_dump(mode="json"))
    command = [sys.executable, "scripts/evidence.py", "--settings", settings, "--run", str(run)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    content = json.loads((run / "evidence.json").read_text())
    tau = next(finding for finding in content["figures"] if finding["key"] == "tau")
    assert tau["asked"] == ">= .25" and tau["reached"] is True and tau["level"] == 0.95 and tau["n"] == 24
    assert content["provenance"]["machine"]["processor"]
    page = (run / "evidence.html").read_text()
    assert "<svg" in page and "http" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    assert "tau of inherited log-loss" in (run / "evidence.md").read_text()
