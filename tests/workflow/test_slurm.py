"""A study through profiles/slurm on a real Slurm: jobs that fail, are cut off or cancelled; the same results."""

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, make_checkout
from slurm_daemons import OPTIONS, Slurm, missing
from studies import artefacts, write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.skipif(bool(missing()), reason=missing())]

STUDY = {
    "nas": {"num_epochs_supernet_train": 12, "num_epochs_retrain": 30},
    "environment": {"gpus": 1},
    "trainer": {"accelerator": "cpu"},
    "optimize": {"trial_number": 2},
    "promote": {"top": 1},
}
NOTED = """import os, pathlib
folder, job, devices = pathlib.Path({folder!r}), os.environ["SLURM_JOB_ID"], os.environ["CUDA_VISIBLE_DEVICES"]
with (folder / "jobs.txt").open("a") as notes:
    print(job, devices, os.getpid(), {stage!r}, file=notes)
"""
FAILS_ONCE = """try:
    (folder / "failed").mkdir()
except FileExistsError:
    pass
else:
    raise SystemExit(1)
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def study(tmp_path, slurm):
    started = Study(tmp_path, slurm)
    yield started
    started.process.kill()


class Study:
    """A study under way, and what its jobs noted."""

    def __init__(self, folder, slurm):
        self.checkout, self.slurm, self.folder = make_checkout(folder / "日本 実験"), slurm, folder
        write_config(self.checkout.folder, STUDY)
        for stage in ("train_supernet", "search_architecture", "retrain"):
            script = self.checkout.folder / f"scripts/{stage}.py"
            fails = FAILS_ONCE if stage == "search_architecture" else ""
            script.write_text(NOTED.format(folder=str(folder), stage=stage) + fails + script.read_text())
        command = self.checkout.command(*OPTIONS, "--configfile", "study.yaml")
        self.printed = folder / "printed.txt"
        with self.printed.open("w") as printed:
            self.process = subprocess.Popen(
                command,
                cwd=self.checkout.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o027,
            )

    def jobs(self, stage):
        """Job id, devices and process of the jobs of a stage that are running."""
        running = self.slurm.ask("squeue", "--noheader", "--states", "RUNNING", "--format", "%i").split()
        notes = self.folder / "jobs.txt"
        lines = [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []
        return [line for line in lines if line[0] in running and line[-1] == stage]

    def wait_for(self, found, seconds=400):
        deadline = time.monotonic() + seconds
        while not (answer := found()):
            assert self.process.poll() is None, self.printed.read_text()[-6000:]
            assert time.monotonic() < deadline, f"waited in vain:\n{self.printed.read_text()[-6000:]}"
            time.sleep(0.05)
        return answer

    def in_the_middle(self, stage):
        return any((self.checkout.folder / "results/tiny").glob(f"*/.resume/{stage}-*/training.ckpt"))

    def cut_off(self, stage):
        """Hold a job in the middle of its stage until its walltime is over and Slurm ends it."""
        self.wait_for(lambda: self.in_the_middle(stage))
        ((job, _, process, _),) = self.jobs(stage)
        os.kill(int(process), signal.SIGSTOP)
        self.slurm.ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")
        self.wait_for(lambda: "TIMEOUT" in self.slurm.ask("scontrol", "show", "job", job))
        os.kill(int(process), signal.SIGCONT)

    def cancel_one_of_two(self, stage):
        """Cancel one of two jobs that run at once; returns what devices the two had."""
        two = self.wait_for(lambda: len(jobs := self.jobs(stage)) == 2 and self.in_the_middle(stage) and jobs)
        self.slurm.ask("scancel", two[0][0])
        return [devices for _, devices, _, _ in two]


def test_study_with_failed_cut_off_and_cancelled_jobs(tmp_path, study):
    study.cut_off("train_supernet")
    devices = study.cancel_one_of_two("retrain")
    assert sorted(devices) == ["0", "1"]
    assert study.process.wait(timeout=400) == 0, study.printed.read_text()[-6000:]

    notes = (tmp_path / "jobs.txt").read_text().split()
    attempts = {stage: notes.count(stage) for stage in ("train_supernet", "search_architecture", "retrain")}
    assert attempts == {"train_supernet": 2, "search_architecture": 3, "retrain": 3}
    results = study.checkout.folder / "results/tiny"
    log = (results / "shared/logs/train_supernet.log").read_text().splitlines()
    assert "stopped by SIGTERM; the training state is saved" in study.printed.read_text()
    assert [sum(line.startswith(f"epoch {epoch:4d}/12 ") for line in log) for epoch in range(1, 13)] == [1] * 12
    assert artefacts(results) == artefacts(on_this_host(tmp_path / "here"))
    assert not [path for path in results.rglob("*") if not path.stat().st_mode & stat.S_IRGRP]


def test_job_that_slurm_refuses_and_job_that_is_held(tmp_path, slurm):
    checkout = make_checkout(tmp_path / "nasmake")
    write_config(checkout.folder, STUDY, {"nas": {"num_epochs_supernet_train": 1}})
    only = [*OPTIONS, "--configfile", "study.yaml", "--until", "train_supernet", "--set-resources"]
    code, output = checkout.run(*only, "train_supernet:slurm_partition=nowhere", check=False)
    assert code == 1
    assert "Invalid partition name specified" in output
    assert "results/tiny/shared/logs/train_supernet.log: is empty: the job did not start" in output

    def held():
        waiting = slurm.ask("squeue", "--noheader", "--format", "%i %r")
        return [line.split()[0] for line in waiting.splitlines() if "JobHeldUser" in line]

    command = checkout.command(*only, "train_supernet:slurm_extra='--hold'")
    with subprocess.Popen(command, cwd=checkout.folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while not (jobs := held()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        slurm.ask("scontrol", "release", jobs[0])
        assert process.wait(timeout=400) == 0


def on_this_host(folder):
    """The results of the same study without a scheduler."""
    checkout = make_checkout(folder)
    write_config(checkout.folder, STUDY)
    checkout.run("--configfile", "study.yaml", "--cores", 2, "--resources", "gpu=2")
    return Path(checkout.folder, "results/tiny")
