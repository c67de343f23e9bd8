"""`make demo` as README has it."""

import json
import re
import subprocess

import pytest
from conftest import ENVIRONMENT, link_environment


def make(checkout, *targets):
    """Run make, which must not make an environment."""
    finished = subprocess.run(["make", *targets], cwd=checkout.folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert "making .venv" not in finished.stdout
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-4000:]
    return finished.stdout + finished.stderr


@pytest.mark.slow
def test_demo_ends_with_a_network_better_than_a_linear_model(checkout):
    link_environment(checkout)
    output = make(checkout, "demo")
    run = checkout.folder / "results/digits"
    trials = re.findall(r"^[\d:]{8}  trial (\d): val accuracy [\d.]{6}, .* best so far: trial \d", output, re.MULTILINE)
    assert sorted(trials) == [str(number) for number in range(len(trials))] and len(trials) >= 4
    best = json.loads((run / "study/best.json").read_text())
    assert best["test_accuracy"] >= 0.97
    assert best["test_accuracy"] > best["baseline"]["test_accuracy"]
    assert f"{best['test_accuracy']:.4f}" in output and f"{best['baseline']['test_accuracy']:.4f}" in output
    assert (run / "report.html").stat().st_size > 100_000

    assert "Nothing to be done" in make(checkout, "demo")
    plan = checkout.run("-n", "--configfile", "config/presets/digits.yaml")
    assert "Nothing to be done" in plan


def test_make_alone_lists_the_targets(checkout):
    output = make(checkout)
    targets = ("setup", "demo", "test", "test-slow", "lint", "dag", "status", "report", "bench", "clean")
    assert all(f"make {target} " in output for target in targets)
