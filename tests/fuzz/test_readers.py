"""Every reader of a file or argument from outside returns, or raises an InputError of one printable line.

NASMAKE_FUZZ is the number of inputs of each reader, 1,000 by default. Each reader has its own seeded generator, so that
a failure comes back.
"""

import json
import os
import random
import resource
import time
from pathlib import Path

import pytest
import yaml
from mutations import mutated, scrambled
from nasmake.config import load
from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, read_text
from nasmake.core.records import (
    read_best,
    read_final,
    read_promoted,
    read_result,
    read_suggestion,
    read_supernet,
)
from nasmake.core.yaml_text import parse_yaml
from nasmake.costs.describe import Subject, describe, from_decisions
from nasmake.costs.latency_table import read_latency
from nasmake.data.manifest import read_manifest, sealed
from nasmake.pipeline.checks import check_parameters
from nasmake.pipeline.config_files import places_of, with_place
from nasmake.report.results import read_history
from nasmake.report.summary import promote
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.library import load_space, read_architecture
from small_spaces import build, latency_file, small

INPUTS = int(os.environ.get("NASMAKE_FUZZ", "1000"))
SLOWEST, LARGEST = 60, 2 * 2**20  # seconds of one input, and KiB by which a reader may let the process grow
SPACE = build(small())
NETWORK = Architecture.from_decisions(SPACE.sample(random.Random(0)), SPACE).to_json() | {"input_size": 8}
OUTSIDE = {key: NETWORK[key] for key in ("stem", "head", "class_num", "dropout", "input_size")}  # of any space
BLOCK = {"op": "sepconv", "kernel_size": 3, "width": 16, "depth": 2, "skip": False, "se_ratio": 0.25}
OUTSIDE["blocks"] = [BLOCK, [BLOCK, BLOCK | {"depth": 1, "stride": 2}], {"op": "zero"}]
PARAMETERS = [
    {"name": "initial_lr", "type": "uniform_float", "lower": 0.01, "upper": 0.1, "log": True, "initial": 0.05},
    {"name": "lam", "type": "uniform_int", "lower": 1, "upper": 9, "step": 2, "when": {"optimizer": ["Adam", "NAG"]}},
    {"name": "optimizer", "type": "categorical", "choices": ["Adam", "NAG"], "initial": ["Adam"]},
]
CONFIG = {
    "run": "tiny",
    "dataset": {"name": "image_folder", "path": "images", "image_size": 32, "num_data_architecture_search": 600},
    "environment": {"gpus": 1, "device_ids": [0, 1], "result_dir": "results"},
    "nas": {"seed": 1, "num_epochs_supernet_train": 4, "num_epochs_retrain": None, "search_space": "proxyless"},
    "supernet": {"batch_size": 100, "lr": "1e-3", "sampler": "fair", "gradient_clip": None},
    "search": {"population_size": 9, "constraint": {"macs": 900000}, "front": ["macs"], "reward": {"w_above": -0.1}},
    "retrain": {"hyperparameters": {"batch_size": 50}, "warmup_epochs": 1},
    "trainer": {"accelerator": "cpu", "num_threads": 1},
    "optimize": {"search_algorithm": "TpeOptimizer", "trial_number": 4, "lag": 2, "parameters": PARAMETERS},
    "evidence": {"seeds": [1, 2, 3]},
    "initial_lr": 0.1,
}
RESULT = {
    **{"trial": 0, "state": "COMPLETE", "value": 0.9, "val_accuracy": 0.9, "val_loss": 0.3, "architecture": "x"},
    **{"parameters": 10, "macs": 10, "latency_ms": 0.5, "val_accuracies": [0.1, 0.9]},
}
FINAL = {
    **RESULT,
    **{"test_accuracy": 0.8, "test_loss": 0.5, "test_n": 9, "baseline": {"name": "x", "test_accuracy": 0.5}},
    "preprocessing": {"image_size": 8, "channels": 1, "mean": [0.3], "std": [0.4], "classes": ["a", "b"]},
}
SUGGESTION = {
    **{"trial": 3, "params": {"supernet.lr": 0.1, "supernet.optimizer": "Adam"}, "previous": "ab", "observed": RESULT},
    **{"prune_below": [None, 0.5], "study": {"version": 1}},
}
SUPERNET = {
    **{"state": "COMPLETE", "search_space": {"name": "x", "hash": "ab"}, "settings": {"lr": 0.1}, "data": {"x": "ab"}},
    **{"split": {"nas.seed": 1}},
}
MANIFEST = {
    **{"name": "digits", "classes": ["a", "b"], "image_shape": [8, 8, 1], "mean": [0.1], "std": [0.2], "source": {}},
    **{part: {"count": 4, "per_class": {"a": 2, "b": 2}} for part in ("train", "test")},
    "sha256": {f"{part}_{kind}.npy": "0" * 64 for part in ("train", "test") for kind in ("images", "labels")},
}
HISTORY = b"epoch,val_loss,val_accuracy,entropy\n1,0.5,0.25,\n2,0.25,0.5,1e-3\n3,nan,0.5,inf\n"


def configuration(path):
    places = places_of([path])
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = parse_yaml(text, str(path))
    try:
        check_parameters(load(content))
    except InputError as error:
        raise InputError(with_place(error, places, {})) from None


def space_file(path):
    return used_space(load_space(path))


def space(path):
    return used_space(build(read_json(path)))


def used_space(found):
    return found.hash, found.decisions, found.decode(found.sample(random.Random(0)))


def architecture(path):
    found, content = read_architecture(path, [path.parent])
    return describe(Subject(found, "digits", content), None)


def decisions(path):
    text = path.read_bytes().decode(errors="surrogateescape")
    return from_decisions(text, path.with_name("config_made_up.yaml"), None)


def manifest(path):
    return read_manifest(path.parent)


def sealed_manifest(path):
    path.write_text(json.dumps(sealed(read_json(path))))
    return read_manifest(path.parent)


def results(path):
    return promote([read_result(path), read_result(path)], 1, ["val_accuracy", "macs"])


def study(path):
    return Optimize.from_json_text(path.read_bytes().decode(errors="surrogateescape"), "--study")


READERS = {
    "configuration": (configuration, CONFIG),
    "space": (space, small()),
    "space_file": (space_file, small()),
    "architecture": (architecture, OUTSIDE),
    "member": (architecture, NETWORK),
    "decisions": (decisions, [0] * 21),
    "latency": (lambda path: read_latency(path, SPACE, 1, 8), latency_file(SPACE, 1, 8)),
    "manifest": (manifest, sealed(MANIFEST)),
    "sealed_manifest": (sealed_manifest, MANIFEST),
    "study": (study, {"parameters": PARAMETERS, "lag": 2, "rand_seed": 1, "objectives": ["val_accuracy", "macs"]}),
    "suggestion": (read_suggestion, SUGGESTION),
    "result": (results, RESULT),
    "final": (read_final, FINAL),
    "best": (read_best, FINAL),
    "supernet": (read_supernet, SUPERNET),
    "promoted": (read_promoted, {"trials": [0, 3]}),
}
IN_YAML = ("configuration", "space_file")  # PyYAML is slow, so these readers get a fifth of the inputs
NAMES = {"latency": "latency.json", "manifest": "manifest.json", "sealed_manifest": "manifest.json"}
# Inputs that once gave a traceback, or several lines.
KNOWN = {
    "configuration": [
        "7",
        "",
        "run: 2026-01-01",
        "run: !!timestamp x",
        "supernet:\ninitial_lr: 1",
        "search: {alpha: inf}",
    ],
    "decisions": ["[0, 0|\n,3]", "\x04o 1e9990, 3\n 2", "|\n[[Z", "[" * 3000, "a[*a[[[!\udcff---\nset [[", "[1e999]"],
    "space_file": ["a: &a [*a]", "[1]", "search_range: {kernel_size: 010}", "? {}\n: 1", f"a: {'9' * 5000}"],
    "architecture": [json.dumps(NETWORK | {"blocks": [BLOCK | {"depth": depth}]}) for depth in (10**12, 10**30)],
    "result": [
        *(json.dumps(RESULT | {"value": value}) for value in ([[]], None, float("nan"), 10**400)),
        *(json.dumps(RESULT | {"val_accuracies": value}) for value in (0.5, True, ["a"])),
        *(json.dumps(RESULT | {"trial": value}) for value in ([True], 1.5)),
        *(json.dumps(RESULT | {"state": value}) for value in ("../x", "proxyless", ["COMPLETE"], None)),
    ],
    "suggestion": [
        *(json.dumps(SUGGESTION | {"observed": value}) for value in ([-1], "x", {"trial": 0}, [float("-inf")])),
        json.dumps(SUGGESTION | {"params": 0.2}),
    ],
    "sealed_manifest": [
        *(json.dumps(MANIFEST | {"train": value}) for value in (False, None, "1e400", {"count": 4, "per_class": [1]})),
        *(json.dumps(MANIFEST | {"image_shape": value}) for value in (-1, [8], "nan")),
        json.dumps(MANIFEST | {"classes": 4}),
    ],
}


def outcome(read, path):
    """Read one file; return the text of its error, or None."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    except Exception as error:
        shown = path.read_bytes()[:3000]
        pytest.fail(f"{type(error).__name__}: {str(error)[:300]}\n{shown!r}")
    return None


@pytest.mark.parametrize("name", READERS)
def test_reader_returns_or_raises_one_printable_line(tmp_path, name):
    read, content = READERS[name]
    (tmp_path / "config_made_up.yaml").write_text(json.dumps(small()))
    path = tmp_path / NAMES.get(name, f"{name}.json")
    texts = [json.dumps(content, indent=2).encode(), yaml.safe_dump(content).encode()]
    texts = texts if name in IN_YAML else texts[:1]
    path.write_bytes(texts[0])
    assert outcome(read, path) is None
    rng, refused, slowest = random.Random(f"fuzz {name}"), 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(INPUTS // (5 if name in IN_YAML else 1)):
        if index < len(KNOWN.get(name, [])):
            path.write_bytes(KNOWN[name][index].encode(errors="surrogateescape"))
        else:
            path.write_bytes(mutated(rng, content).encode() if index % 2 else scrambled(rng, rng.choice(texts)))
        began = time.monotonic()
        text = outcome(read, path)
        slowest = max(slowest, time.monotonic() - began)
        refused += text is not None
        assert text is None or (text.isprintable() and len(text) < 3000), (text, path.read_bytes()[:3000])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{name}: {index + 1} inputs, {refused} refused, slowest {slowest:.2f} s, {grown / 1024:.0f} MiB more")
    assert refused > index / 4 and slowest < SLOWEST and grown < LARGEST


@pytest.mark.parametrize("name", ["retrain", "evaluations", "probabilities"])
def test_history_is_read_or_refused_in_one_line(tmp_path, name):
    rng, path = random.Random(f"fuzz {name}"), tmp_path / f"{name}.csv"
    for _ in range(INPUTS):
        path.write_bytes(scrambled(rng, HISTORY))
        text = outcome(read_history, path)
        assert text is None or (text.isprintable() and len(text) < 3000)


def test_known_damage_is_refused(tmp_path):
    (tmp_path / "config_made_up.yaml").write_text(json.dumps(small()))
    for name, texts in KNOWN.items():
        path = Path(tmp_path, NAMES.get(name, f"{name}.json"))
        for text in texts:
            path.write_bytes(text.encode(errors="surrogateescape"))
            assert outcome(READERS[name][0], path) is not None, (name, text)
