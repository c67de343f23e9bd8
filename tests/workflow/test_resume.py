"""Kill what is running, type the same command again: the artefacts are those of an undisturbed run, bit for bit."""

import os
import signal
import time
from itertools import cycle
from pathlib import Path

import pytest
from conftest import make_checkout
from studies import artefacts, write_config

pytestmark = pytest.mark.slow

STAGES = ("train_supernet", "search_architecture", "retrain", "retrain_final")
LONGER = {"nas": {"num_epochs_supernet_train": 20, "num_epochs_architecture_search": 8, "num_epochs_retrain": 12}}
RUN = ("--configfile", "study.yaml", "--cores", "2")


def prepare(folder, *overlays):
    checkout = make_checkout(folder / "nasmake")
    write_config(checkout.folder, LONGER, *overlays)
    return checkout


def results(checkout):
    return checkout.folder / "results" / "tiny"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    checkout = prepare(tmp_path_factory.mktemp("undisturbed"))
    checkout.run(*RUN)
    return artefacts(results(checkout))


def wait_for(condition, process, seconds=400):
    """Poll until `condition()`; the process must not end before."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"snakemake ended with {process.returncode}"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def in_the_middle_of(checkout, stage):
    """Whether a training state of that stage has been saved: its job is somewhere behind the first epoch."""
    return lambda: any(results(checkout).glob(f"*/.resume/{stage}-*/training.ckpt"))


def jobs_of(checkout):
    """Process ids of the stage scripts that work in this checkout."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if any(word.startswith(b"scripts/") for word in words[:2]) and (place / "cwd").resolve() == checkout.folder:
                found.append(int(place.name))
        except OSError:
            continue
    return found


def kill_everything(process, number):
    os.killpg(process.pid, number)
    process.wait(timeout=60)


def test_killed_or_interrupted_in_the_middle_of_each_stage(tmp_path, undisturbed):
    checkout = prepare(tmp_path)
    for stage, number in zip(STAGES, cycle((signal.SIGINT, signal.SIGKILL)), strict=False):
        process = checkout.start(*RUN)
        wait_for(in_the_middle_of(checkout, stage), process)
        kill_everything(process, number)
        assert process.returncode != 0
        wait_for_end_of_jobs(checkout)
    checkout.run(*RUN)
    assert artefacts(results(checkout)) == undisturbed


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds the jobs through /proc")
def test_terminated_job_is_tried_again_and_goes_on(tmp_path, undisturbed):
    checkout = prepare(tmp_path)
    until = ("--until", "train_supernet")
    process = checkout.start(*RUN, *until)
    wait_for(in_the_middle_of(checkout, "train_supernet"), process)
    (job,) = (pid for pid in jobs_of(checkout) if b"train_supernet" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(job, signal.SIGTERM)
    assert process.wait(timeout=400) == 0
    log = (results(checkout) / "shared/logs/train_supernet.log").read_text()
    assert sum(line.startswith("epoch    1/") for line in log.splitlines()) == 1
    assert equal_supernet(checkout, undisturbed)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds the jobs through /proc")
def test_orphan_of_a_dead_controller_is_waited_for(tmp_path):
    long_enough = {"nas": {"num_epochs_supernet_train": 150}}
    checkout, reference = (prepare(tmp_path / name, long_enough) for name in ("killed", "reference"))
    until = ("--until", "train_supernet")
    process = checkout.start(*RUN, *until)
    wait_for(in_the_middle_of(checkout, "train_supernet"), process)
    os.kill(process.pid, signal.SIGKILL)  # the controller alone
    process.wait(timeout=60)
    assert jobs_of(checkout)
    checkout.run(*RUN, *until)
    log = (results(checkout) / "shared/logs/train_supernet.log").read_text().splitlines()
    assert any(line.startswith("waiting: another process is at work on this stage") for line in log)
    assert log[-1] == "done by the process that was waited for"
    reference.run(*RUN, *until)
    assert equal_supernet(checkout, artefacts(results(reference)))


def test_a_living_controller_is_respected(tmp_path):
    checkout = prepare(tmp_path)
    process = checkout.start(*RUN)
    wait_for(in_the_middle_of(checkout, "train_supernet"), process)
    code, output = checkout.run(*RUN, check=False)
    (error,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert code == 1 and "a study is running here" in error and f"process {process.pid}," in error
    assert "LockException" not in output
    plan = checkout.run(*RUN, "-n")
    assert "nasmake: a study is running here" in plan and "search_architecture" in plan
    assert "cannot be locked" not in plan
    assert process.poll() is None
    kill_everything(process, signal.SIGKILL)


def test_same_bytes_on_one_core_and_on_two(tmp_path, undisturbed):
    checkout = prepare(tmp_path)
    checkout.run("--configfile", "study.yaml", "--cores", "1")
    assert artefacts(results(checkout)) == undisturbed


def equal_supernet(checkout, undisturbed):
    mine = artefacts(results(checkout))
    names = ("shared/supernet.safetensors", "shared/supernet.json", "shared/history/train_supernet.csv")
    return all(mine[name] == undisturbed[name] for name in names)


def wait_for_end_of_jobs(checkout, seconds=120):
    deadline = time.monotonic() + seconds
    while jobs_of(checkout):
        assert time.monotonic() < deadline
        time.sleep(0.1)
