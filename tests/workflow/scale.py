"""A study whose stages are stubs that write small files at once, to see what the workflow costs by itself."""

from collections import Counter

from studies import write_config

STUB = """
import json
import os
import sys
from pathlib import Path

from nasmake.core.files import write_json
from nasmake.jobs.cli import script

JOB = json.loads(sys.argv[sys.argv.index("--job") + 1])


def main(argv):
    unit = Path(JOB["folder"]).name
    trial = int(unit[-4:]) if unit.startswith("trial-") else 0
    accuracy = 0.5 + trial / 10000
    scores = {"value": accuracy, "val_accuracy": accuracy, "val_loss": 1.0, "test_accuracy": 0.5, "test_n": 9}
    network = {"architecture": "stub", "parameters": 1, "macs": 1}
    content = {"trial": trial, "state": "COMPLETE", "params": {"retrain.label_smoothing": accuracy}} | scores | network
    for path in map(Path, JOB["outputs"]):
        if path.suffix == ".json":
            write_json(path, content)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
    with open("ran.txt", "a") as stream:
        stream.write(f"{JOB['rule']} {unit}\\n")


if __name__ == "__main__":
    script(main)
"""
STUBBED = ("suggest", "train_supernet", "search_architecture", "retrain", "retrain_final", "export_best", "report")


def stub_stages(checkout):
    """Replace the scripts of the stages by stubs."""
    for name in STUBBED:
        (checkout.folder / "scripts" / f"{name}.py").write_text(STUB)


def command(checkout, trials):
    """Return the options of Snakemake for a study of so many trials, each of which suggests and retrains."""
    parameter = {"name": "retrain.label_smoothing", "type": "uniform_float", "lower": 0.0, "upper": 0.9}
    optimize = {"trial_number": trials, "lag": 8, "parameters": [parameter]}
    study = write_config(checkout.folder, {"run": "scale", "optimize": optimize, "promote": {"top": 1}})
    return ("--configfile", study, "--cores", 2)


def jobs_run(checkout):
    """Return how often each stubbed job has run."""
    path = checkout.folder / "ran.txt"
    return Counter(path.read_text().splitlines()) if path.is_file() else Counter()
