"""Studies small enough for tests, and what of their results must be the same."""

import json

import yaml

PROVENANCE = "provenance"

TINY = {
    "run": "tiny",
    "dataset": {"name": "digits", "num_data_architecture_search": 600},
    "nas": {"num_epochs_supernet_train": 4, "num_epochs_architecture_search": 2, "num_epochs_retrain": 3},
    "supernet": {"batch_size": 100},
    "search": {"population_size": 3, "recalibration_images": 200, "prune_at_chance": False},
    "retrain": {"hyperparameters": {"batch_size": 50}, "warmup_epochs": 1},
    "optimize": {
        "trial_number": 3,
        "lag": 2,
        "n_startup_trials": 1,
        "parameters": [
            {"name": "search.constraint.macs", "type": "uniform_int", "lower": 400000, "upper": 1600000, "log": True},
            {
                "name": "retrain.hyperparameters.base_lr",
                "type": "uniform_float",
                "lower": 0.01,
                "upper": 0.1,
                "initial": 0.05,
            },
        ],
    },
    "promote": {"top": 2},
    "final": {"baseline": True},
    "environment": {"seconds_between_saves": 0},  # a kill may repeat the epoch that it met, and no earlier one
}


def write_config(folder, *overlays, name="study.yaml"):
    """Write TINY with overlays merged in; returns the file's name."""
    merged = TINY
    for overlay in overlays:
        merged = merge(merged, overlay)
    (folder / name).write_text(yaml.safe_dump(merged))
    return name


def merge(base, over):
    both = {key: merge(base[key], over[key]) for key in base.keys() & over.keys() if isinstance(over[key], dict)}
    return base | over | both


def artefacts(run):
    """Everything that two runs of one study must agree in: bytes of weights and tables, JSON without provenance."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if {"records", ".resume"} & set(path.parts):  # checksums of files that hold times, and kept copies
            continue
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            content.pop(PROVENANCE, None)
            found[name] = content
        elif path.suffix in (".safetensors", ".pt2", ".csv", ".svg") or name == "study/summary.txt":
            found[name] = path.read_bytes()
    return found
