"""What becomes of an exception of a stage: by its kind and by the number of the attempt."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.records import FAIL
from nasmake.engine.attempt import is_of_machine, is_out_of_memory, run_stage
from nasmake.jobs.job import parse
from nasmake.pipeline.rule_functions import RETRIES
from nasmake.stages.retrain import retrain
from nasmake.stages.search_architecture import search_architecture
from small_jobs import make_job, settings

ROOT = Path(__file__).parents[2]


def job_of(tmp_path, stage="retrain", unit="trial-0003", is_last=True, trial=3):
    return replace(make_job(stage, tmp_path / unit, tmp_path), is_last_attempt=is_last, trial=trial)


def raising(error):
    def stage(job):
        raise error

    return stage


def test_an_exception_of_the_last_attempt_is_a_result_with_its_reason(tmp_path, capsys):
    job = job_of(tmp_path)
    run_stage(raising(ValueError("no\nluck")), job)
    content = read_json(job.unit / "result.json")
    assert content["state"] == FAIL
    log = job.unit / "logs" / "retrain.log"
    assert content["reason"].startswith("retrain: ValueError: no luck (test_attempt.py line ")
    assert content["reason"].endswith(f"); log: {log}")
    assert "Traceback" in capsys.readouterr().err


def test_an_exception_of_an_earlier_attempt_stays_one(tmp_path):
    job = job_of(tmp_path, is_last=False)
    with pytest.raises(ValueError, match="boom"):
        run_stage(raising(ValueError("boom")), job)
    assert not job.unit.exists()


def test_a_job_outside_of_a_study_has_no_state_fail(tmp_path):
    job = job_of(tmp_path, "train_supernet", "quarter-0", trial=None)
    with pytest.raises(ValueError, match="boom"):
        run_stage(raising(ValueError("boom")), job)
    assert not job.unit.exists()


def disk_full_behind_another_exception():
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        raise RuntimeError("cannot save")  # noqa: B904  # as torch does it


@pytest.mark.parametrize(
    "error",
    [
        InputError("trainer.precision is x; expected y"),
        OSError(28, "No space left on device"),
        ImportError("no module"),
        torch.distributed.DistBackendError("lost"),
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
        KeyboardInterrupt(),
        SystemExit(143),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_user_or_the_machine_caused_is_no_result(tmp_path, error):
    job = job_of(tmp_path)
    with pytest.raises(type(error)):
        run_stage(raising(error), job)
    assert not job.unit.exists()


def test_the_cause_of_an_exception_decides():
    with pytest.raises(RuntimeError) as caught:
        disk_full_behind_another_exception()
    assert is_of_machine(caught.value)
    assert not is_of_machine(RuntimeError("shapes do not match"))


def test_memory_that_is_used_up_is_one_line_that_names_the_remedy(tmp_path):
    job = job_of(tmp_path)
    with pytest.raises(InputError) as caught:
        run_stage(lambda job: torch.empty(10**15), job)
    line = str(caught.value)
    assert line.startswith(
        f"{job.unit}: retrain: out of memory: retrain.hyperparameters.batch_size is 100; expected a batch that fits "
        "into the memory; lower it, run fewer jobs at once (--cores, --jobs), lower trainer.num_threads, or raise "
        "mem_mb (--set-resources retrain:mem_mb=16000); RuntimeError: "
    )
    assert "\n" not in line and not job.unit.exists()


def test_every_kind_of_used_up_memory_is_recognised():
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(10**15)
    assert is_out_of_memory(of_numpy.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"))
    assert not is_out_of_memory(RuntimeError("boom"))


def test_later_stages_pass_the_state_on(tmp_path, digits):
    unit = tmp_path / "trial-0003"
    run_stage(raising(ValueError("boom")), job_of(tmp_path, "train_supernet"))
    for stage, function in (("search_architecture", search_architecture), ("retrain", retrain)):
        function(replace(make_job(stage, unit, digits), trial=3))
    supernet, result = read_json(unit / "supernet.json"), read_json(unit / "result.json")
    assert (result["state"], result["reason"], result["trial"]) == (FAIL, supernet["reason"], 3)
    assert supernet["reason"].startswith("train_supernet: ValueError: boom")


@pytest.mark.parametrize("attempt, is_last", [(1, False), (RETRIES, False), (RETRIES + 1, True)])
def test_the_command_line_tells_the_last_attempt(tmp_path, attempt, is_last):
    (tmp_path / "architecture.json").write_text("{}")
    arguments = ["--settings", json.dumps(settings("retrain")), "--manifest", "manifest.json"]
    arguments += ["--architecture", str(tmp_path / "architecture.json"), "--accelerator", "cpu"]
    job = parse("retrain", "", [*arguments, "--attempt", str(attempt), "--unit", str(tmp_path)])
    assert job.is_last_attempt is is_last


def test_every_training_rule_has_so_many_retries_and_names_its_attempt():
    for name in ("train_supernet", "search_architecture", "search_supernet", "retrain", "final"):
        rule = (ROOT / "workflow" / "rules" / f"{name}.smk").read_text()
        assert f"retries: {RETRIES}\n" in rule and "--attempt {resources.attempt}" in rule


TWO_RANKS = """
import sys
from pathlib import Path
from nasmake.core.process import rank
from nasmake.engine import attempt
from nasmake.jobs.launch import launch
from small_jobs import make_job
from dataclasses import replace

launch(2)
attempt.PATIENCE = 60.0
unit = Path(sys.argv[1])

def stage(job):
    raise ValueError(f"boom {rank()}")

attempt.run_stage(stage, replace(make_job("retrain", unit, unit), is_last_attempt=True))
"""


def test_rank_0_writes_the_result_and_the_job_ends_well(tmp_path):
    (tmp_path / "job.py").write_text(TWO_RANKS)
    unit = tmp_path / "trial-0000"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "workflow")])}
    command = [sys.executable, str(tmp_path / "job.py"), str(unit)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert finished.returncode == 0, finished.stderr
    assert read_json(unit / "result.json")["reason"].startswith("retrain: ValueError: boom 0")
