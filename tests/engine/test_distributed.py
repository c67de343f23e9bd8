"""Two processes on the CPU: as one that takes their parts in turn; killed and resumed, they end with the same bytes."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from inspect import signature
from pathlib import Path

import psutil
import pytest
import torch
from nasmake.config.trainer import Trainer as TrainerSettings
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.costs.table import with_costs
from nasmake.engine.device import seed_torch
from nasmake.engine.distributed import BatchShare
from nasmake.engine.lightning import Trainer
from nasmake.engine.weights import read_weights
from nasmake.pipeline.finished import forget_finished
from nasmake.pipeline.stages import STAGES
from nasmake.search_spaces import Architecture
from nasmake.stages import retrain as classification
from nasmake.stages import train_supernet as supernet_training
from nasmake.stages.retrain import Retraining, retrain
from nasmake.stages.train_supernet import SupernetTraining, train_supernet
from small_jobs import CHEAPEST, SPACE, artefacts, make_job, settings
from small_spaces import shipped

SCRIPTS = Path(__file__).parents[2] / "scripts"
LONG = {
    "nas__num_epochs_supernet_train": 16,
    "nas__num_epochs_architecture_search": 16,
    "nas__num_epochs_retrain": 16,
    "search__random_baseline": False,
    "supernet__batch_size": 50,
    "dataset__num_data_architecture_search": 1000,
}


def command(stage, unit, digits, **changes):
    """Return the command that Snakemake runs if environment.gpus is 2."""
    space = {"search_space": SPACE} if stage in ("train_supernet", "search_architecture") else {}
    observed = settings(stage, **changes) | space | {"version": STAGES[stage].version, "processes": 2}
    files = {name: str(path) for name, path in make_job(stage, unit, digits).inputs.items()}
    arguments = {"settings": json.dumps(observed), "manifest": str(digits / "manifest.json"), "accelerator": "cpu"}
    arguments |= {"unit": str(unit), **files}
    return [sys.executable, str(SCRIPTS / f"{stage}.py"), *(f"--{key}={value}" for key, value in arguments.items())]


def run(stage, unit, digits, **changes):
    argv = command(stage, unit, digits, **changes)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def unit(tmp_path):
    """A unit whose architecture is known."""
    space = shipped("proxyless_digits")
    cheapest = Architecture.from_decisions(tuple(CHEAPEST["decisions"]), space)
    write_json(tmp_path / "unit" / "architecture.json", with_costs(cheapest, 1, 8) | {"state": "COMPLETE"})
    return tmp_path / "unit"


# Settings.


def test_choices_of_the_trainer_section_are_arguments_of_lightnings_trainer():
    ours = {"num_threads"}
    assert set(TrainerSettings.model_fields) - ours <= set(signature(Trainer).parameters)


def test_number_of_processes_names_another_training_state(tmp_path, digits):
    job = make_job("train_supernet", tmp_path, digits)
    assert job.fingerprint("cpu") != replace(job, processes=2).fingerprint("cpu")


# One process that takes the parts in turn.


def parts_of(images, labels):
    half = len(labels) // 2
    return [BatchShare(images[:half], labels[:half], 0.5), BatchShare(images[half:], labels[half:], 0.5)]


def added_up(first, second):
    if isinstance(first, torch.Tensor):
        return first + second
    return {name: added_up(first[name], second[name]) for name in first}


def in_turn(module, step, splits):
    """Part by part, each with the dropout of its rank; the second leaves no trace in the running statistics."""
    seed_key, cpu = module.seed_key_of_step, torch.device("cpu")
    seed_torch(cpu, *seed_key, 0)
    first = step(splits[0])
    kept = [(layer, dict(layer._buffers)) for layer in module.modules() if layer._buffers]
    for layer, buffers in kept:
        layer._buffers.update({name: value.clone() for name, value in buffers.items()})
    seed_torch(cpu, *seed_key, 1)
    second = step(splits[1])
    for layer, buffers in kept:
        layer._buffers.update(buffers)
    return added_up(first, second)


def remember_seed_key(monkeypatch, target, owner):
    """Let the module keep the seed key of its dropout."""

    def seed(device, *seed_key):
        owner.seed_key_of_step = seed_key
        seed_torch(device, *seed_key)

    monkeypatch.setattr(target, "seed_torch", seed)


def supernet_in_turn(monkeypatch):
    add = SupernetTraining.accumulate_gradients
    remember_seed_key(monkeypatch, supernet_training, SupernetTraining)

    def both(self, paths, whole):
        return in_turn(self, lambda part: add(self, paths, part), parts_of(whole.images, whole.labels))

    monkeypatch.setattr(SupernetTraining, "accumulate_gradients", both)


def retraining_in_turn(monkeypatch):
    step_of = Retraining.training_step
    remember_seed_key(monkeypatch, classification, Retraining)

    def both(self, step, batch_idx):
        def with_part(part):
            with monkeypatch.context() as patch:
                patch.setattr(classification, "share_of_batch", lambda *_: part)
                return step_of(self, step, batch_idx)

        return in_turn(self, with_part, parts_of(*self.source.batch(self.current_epoch, batch_idx)))

    monkeypatch.setattr(Retraining, "training_step", both)


IN_TURN = {
    "train_supernet": (supernet_in_turn, train_supernet, "supernet.safetensors"),
    "retrain": (retraining_in_turn, retrain, "model.safetensors"),
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", IN_TURN)
def test_two_processes_are_one_that_takes_their_parts_in_turn(unit, tmp_path, digits, monkeypatch, stage):
    patch, function, weights = IN_TURN[stage]
    alone = Path(shutil.copytree(unit, tmp_path / "alone"))
    run(stage, unit, digits)
    patch(monkeypatch)
    function(make_job(stage, alone, digits))
    actual, expected = (read_weights(folder / weights) for folder in (unit, alone))
    assert actual.keys() == expected.keys()
    difference = max((actual[name] - expected[name]).abs().max().item() for name in expected)
    assert difference < 1e-6, difference
    rows, expected_rows = (read_csv(folder / "history" / f"{stage}.csv") for folder in (unit, alone))
    for row, one in zip(rows, expected_rows, strict=True):
        assert {name: float(cell) for name, cell in row.items()} == pytest.approx(
            {name: float(cell) for name, cell in one.items()}, rel=1e-5
        )


@pytest.mark.slow
def test_two_processes_predict_each_test_image_once(unit, digits):
    write_json(unit / "result.json", {"state": "COMPLETE", "trial": 0, "val_accuracy": 0.5, "val_loss": 1.0})
    run("retrain_final", unit, digits, nas__num_epochs_retrain=2)
    rows = read_csv(unit / "test_predictions.csv")
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    assert len(rows) == 597 and accuracy == pytest.approx(read_json(unit / "final.json")["test_accuracy"], abs=1e-9)
    assert all(0.1 <= float(row["confidence"]) <= 1 for row in rows)  # no image was left at 0


# Ends.


def children_of(process, count):
    until = time.monotonic() + 60
    while len(children := psutil.Process(process.pid).children()) < count and time.monotonic() < until:
        time.sleep(0.05)
    return children


def interrupted(stage, unit, digits, how, **changes):
    """Start a stage, and after its second epoch do something to it; return exit code and later output."""
    argv = command(stage, unit, digits, **changes)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        fresh = (line for line in iter(process.stdout.readline, "") if line.endswith(" s\n"))  # no time: restored
        assert next(fresh) and next(fresh)
        ranks = children_of(process, 2)
        how(process, ranks)
        output = process.stdout.read()
        process.wait(60)
    _, alive = psutil.wait_procs(ranks, timeout=10)
    assert alive == []
    return process.returncode, output


@pytest.mark.slow
@pytest.mark.parametrize("stage", ("train_supernet", "search_architecture", "retrain"))
def test_terminated_and_killed_stage_goes_on_to_the_same_bytes(unit, tmp_path, digits, stage):
    if stage == "search_architecture":
        run("train_supernet", unit, digits)
    other = Path(shutil.copytree(unit, tmp_path / "other"))
    run(stage, other, digits, **LONG)
    terminate = lambda process, ranks: process.terminate()  # noqa: E731
    code, output = interrupted(stage, unit, digits, terminate, **LONG)
    assert code == 128 + signal.SIGTERM
    assert output.splitlines()[-1] == "stopped by SIGTERM; the training state is saved"
    code, _ = interrupted(stage, unit, digits, lambda process, ranks: ranks[1].kill(), **LONG)
    assert code != 0
    code, _ = interrupted(stage, unit, digits, lambda process, ranks: process.kill(), **LONG)
    run(stage, unit, digits, **LONG)
    assert artefacts(unit) == artefacts(other)
    forget_finished(unit.parent)
    assert not list(unit.glob(".resume/*"))
