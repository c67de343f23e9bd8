"""`snakemake benchmark_table`: what is refused, and a table that was killed in the middle."""

import os
import signal
import time

import pytest
import yaml
from nasmake.core.files import read_csv

PRESET = "config/presets/tabulate_fashion_mnist.yaml"
TINY = {
    "dataset": {"name": "digits", "num_train": 1200, "num_data_architecture_search": 600},
    "nas": {"search_space_config_path": "config/search_spaces", "num_epochs_retrain": 3},
    "environment": {"seconds_between_saves": 0},
    "tabulate": {"networks": 4, "seeds": [1, 2]},
}


def arguments(checkout, run, networks_per_job):
    """Return the arguments of a tiny table that trains so many networks in a job."""
    tiny = TINY | {"run": run, "tabulate": TINY["tabulate"] | {"networks_per_job": networks_per_job}}
    (checkout.folder / f"{run}.yaml").write_text(yaml.safe_dump(tiny))
    return ("--configfile", PRESET, f"{run}.yaml", "--cores", "1", "--", "benchmark_table")


def without_seconds(checkout, run):
    """Return the table without its last column, the measured CPU seconds."""
    lines = (checkout.folder / f"results/{run}/benchmark_table.csv").read_bytes().splitlines()
    return [line.rpartition(b",")[0] for line in lines]


def wait_for(checkout, pattern):
    deadline = time.monotonic() + 120
    while not list(checkout.folder.glob(pattern)):
        assert time.monotonic() < deadline, pattern
        time.sleep(0.02)


def test_more_networks_than_the_space_has_end_before_any_job(checkout):
    too_many = ("-n", "--configfile", PRESET, "--config", "tabulate={networks: 145}", "--", "benchmark_table")
    code, output = checkout.run(*too_many, check=False)
    assert code != 0 and "Traceback" not in output
    assert [line for line in output.splitlines() if line.startswith("error: ")] == [
        "error: tabulate.networks is 145; expected all, or at most 144, the networks of proxyless_fashion_mnist"
    ]


@pytest.mark.slow
def test_a_killed_table_has_the_same_bytes_whatever_its_jobs(checkout):
    checkout.run(*arguments(checkout, "undisturbed", 4))
    killed = arguments(checkout, "killed", 3)
    process = checkout.start(*killed)
    wait_for(checkout, "results/killed/part-0000/seed-*/.resume/*/1/training.ckpt")  # the second network of a job
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (checkout.folder / "results/killed/benchmark_table.csv").exists()
    checkout.run(*killed)
    assert without_seconds(checkout, "killed") == without_seconds(checkout, "undisturbed")
    rows = read_csv(checkout.folder / "results/undisturbed/benchmark_table.csv")
    assert len({row["decisions"] for row in rows}) == 4 and [row["seed"] for row in rows] == ["1", "2"] * 4
    assert all(float(row["cpu_seconds"]) > 0 and len(row["val_losses"].split()) == 3 for row in rows)
