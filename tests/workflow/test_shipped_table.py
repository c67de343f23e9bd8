"""The benchmark table of Fashion-MNIST in config/benchmark_tables: complete, and what a training here gives."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ENVIRONMENT
from nasmake.core.files import read_csv
from nasmake.evidence.benchmark_table import BenchmarkTablePlan
from nasmake.evidence.table_file import read_table
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.study_jobs import StudyJobs

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path("config/benchmark_tables/fashion_mnist.csv")
PRESET = Path("config/presets/tabulate_fashion_mnist.yaml")
FASHION = Path("/usr/share/datasets/fashion-mnist")
CELLS = 3  # networks that are trained again
TOLERANCE = 5  # standard deviations between trainings; another kind of CPU gives other digits


def test_it_has_every_network_and_seed_of_the_preset(monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan(yaml.safe_load(PRESET.read_text()))
    table = read_table(TABLE)
    assert table.networks == BenchmarkTablePlan(plan, StudyJobs(plan)).networks
    assert table.seeds == [str(seed) for seed in plan.config.tabulate.seeds] and len(table.seeds) >= 3
    settings = json.loads(TABLE.with_suffix(".json").read_text())["settings"]
    assert settings["search_space"] == plan.search_space


@pytest.mark.slow
@pytest.mark.skipif(not FASHION.is_dir(), reason="needs the Debian package dataset-fashion-mnist")
def test_cells_are_what_a_training_gives(checkout):
    table, rng = read_table(ROOT / TABLE), random.Random(14)
    networks, seed = rng.sample(table.networks, CELLS), rng.choice(table.seeds)
    checkout.run("--configfile", PRESET, "--cores", "2", "--until", "download_dataset", "--", "benchmark_table")
    unit = checkout.folder / "results/again/seed"
    unit.mkdir(parents=True)
    listed = {"networks": [{"decisions": list(network)} for network in networks]}
    (unit / "networks.json").write_text(json.dumps(listed))
    plan = Plan(yaml.safe_load((ROOT / PRESET).read_text()))
    settings = BenchmarkTablePlan(plan, StudyJobs(plan)).settings("tabulate_networks")({"part": "0000", "seed": seed})
    manifest = checkout.folder / "results/tabulate_fashion_mnist/shared/dataset.json"
    command = [sys.executable, "scripts/tabulate_networks.py", "--settings", settings, "--manifest", manifest]
    command += ["--networks", unit / "networks.json", "--accelerator", "cpu", "--unit", unit]
    done = subprocess.run(command, cwd=checkout.folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    deviation = table.scores("test_loss").var(0, ddof=1).mean() ** 0.5
    for network, again in zip(networks, read_csv(unit / "trained.csv"), strict=True):
        shipped = table.rows[network, seed]
        assert float(again["test_loss"]) == pytest.approx(float(shipped["test_loss"]), abs=TOLERANCE * deviation)
