"""evidence.results, evidence.page, evidence.drawing and scripts/evidence.py, from files of measurements."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up import NETWORKS, make_run
from nasmake.config.evidence import SUPERNET
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, write_csv
from nasmake.evidence import page, results
from nasmake.evidence.drawing import draw
from nasmake.evidence.measurements import COLUMNS
from nasmake.evidence.plan import LOOKED_UP
from nasmake.evidence.table_file import read_table
from nasmake.report.style import svg

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def evidence(run):
    return make_run(run)


@pytest.fixture(scope="module")
def table(evidence):
    return read_table(Path(evidence.table))


@pytest.fixture(scope="module")
def scores(run, evidence, table):
    return results.read_scores(run, SUPERNET, evidence.seeds, table)


@pytest.fixture(scope="module")
def findings(run, evidence, table, scores):
    every = [*results.table_spread(table), *results.trivial_ranking(table)]
    for kind in evidence.supernets():
        every += results.ranking(kind, results.read_scores(run, kind, evidence.seeds_of(kind), table), table)
    every += results.searches(run, evidence, scores, table) + results.trained_searches(run, evidence, table)
    return {finding.key: finding for finding in every}


def test_spread_separates_networks_from_trainings(findings):
    assert findings["sd_trainings"].value == pytest.approx(0.02, rel=0.3)  # as the table was made
    assert findings["sd_networks"].value == pytest.approx(np.linspace(1, 0.4, NETWORKS).std(ddof=1), rel=0.05)


def test_ranking_finds_what_was_put_in(findings):
    good, raw = findings[f"tau_{SUPERNET}"], findings[f"raw_{SUPERNET}"]
    assert good.low < good.value < good.high and good.value > 0.6 > abs(raw.value)
    assert good.n == (3, NETWORKS) and good.value == pytest.approx(np.mean(good.by)) and good.reached
    assert findings["ceiling"].value > good.value
    assert findings["tau_quarter"].n == (2, NETWORKS)


def test_trivial_predictors_know_what_they_know(findings):
    assert findings["tau_parameters"].value > 0.8  # more parameters, smaller loss: so it was made
    assert findings["tau_macs"].value == 0  # all the same
    assert findings[f"partial_macs_{SUPERNET}"].value == pytest.approx(findings[f"tau_{SUPERNET}"].value)


def test_gain_and_regret_are_differences_of_losses(findings):
    step = 0.6 / (NETWORKS - 1)  # between the true losses of two neighbours
    for networks in ("all", "band"):
        gain = findings[f"gain_{networks}_true_evolution_4"]
        assert gain.value == pytest.approx(8 * step, abs=0.04) and gain.low > 0 and gain.n == (3, 4, 3)
        assert findings[f"gain_{networks}_true_asng_4"].value == 0
        assert findings[f"regret_{networks}_true_random_4"].value == pytest.approx(11 * step, abs=0.04)
        assert findings[f"regret_{networks}_inherited_random_4"].value >= 0
    assert "gain_all_true_random_4" not in findings
    assert findings["regret_gates"].value == pytest.approx(0, abs=0.02)


def test_table_says_what_was_not_reached(tmp_path):
    settings = make_run(tmp_path, noise=50)
    table = read_table(Path(settings.table))
    hopeless = results.ranking(SUPERNET, results.read_scores(tmp_path, SUPERNET, settings.seeds, table), table)
    text = page.markdown([], hopeless, "measured somehow")
    assert text.startswith("measured somehow") and f"NOT REACHED: tau_{SUPERNET}" in text


def test_scores_of_other_networks_are_refused(tmp_path):
    settings = make_run(tmp_path)
    path = tmp_path / f"{SUPERNET}-1" / "scores.csv"
    write_csv(path, read_csv(path)[:-1], COLUMNS)
    with pytest.raises(InputError, match=r"scores\.csv: has other networks than the table; type: make evidence"):
        results.read_scores(tmp_path, SUPERNET, settings.seeds, read_table(Path(settings.table)))


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, ".2500"), (-0.25, "-.2500"), (-0.00004, ".0000"), (0.99996, "1.00"), (10.05, "10.05")]
)
def test_numbers_are_short(value, text):
    assert page.number(value) == text


def test_drawing_shows_every_interval(findings, evidence, scores, table):
    drawing = svg(draw, findings, evidence, scores, table).decode()
    for key in (f"tau_{SUPERNET}", "tau_quarter", "ceiling", "true_evolution", "inherited_random"):
        assert f'id="{key}' in drawing


def test_script_writes_tables_figure_page_and_facts(run, evidence):
    command = [sys.executable, "scripts/evidence.py", "--settings", evidence.model_dump_json(), "--run", str(run)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    content = json.loads((run / "evidence.json").read_text())
    tau = next(finding for finding in content["figures"] if finding["key"] == f"tau_{SUPERNET}")
    assert tau["asked"] == ">= .25" and tau["reached"] is True and tau["level"] == 0.95
    assert content["provenance"]["machine"]["processor"]
    text = (run / "evidence.html").read_text()
    outside = text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace("http://creativecommons", "")
    assert "<svg" in text and "http" not in outside
    tables = (run / "evidence.md").read_text()
    assert "What matters for a supernet" in tables and all(f"| {name}" in tables for name in LOOKED_UP)
