"""Every field of a job either changes the fingerprint of its training state or is known not to."""

from dataclasses import fields, replace

import pytest
from nasmake.core.files import write_json
from nasmake.jobs.job import Job
from small_jobs import make_job, settings

# The fields with another value each.
DECIDES = {
    "stage": "other",
    "received": settings("train_supernet", supernet__lr=0.01),
    "search_space": {"name": "other", "content": {}},
    "version": 10**6,
    "prune_below": [0.5],
    "processes": 2,
    "operations": {"file": "my_ops.py", "sha256": "0", "names": ["mine"]},
}
DOES_NOT = {"trial": 7, "accelerator": "auto", "display": "bar", "is_last_attempt": True, "started": 0.0}
DOES_NOT |= {"repeat": 1}  # `received` has the seed that it raised
FOLDERS = {"dataset", "inputs", "unit"}  # of the first two the content counts; tests/jobs/test_job.py has it


@pytest.fixture
def job(tmp_path, digits):
    return make_job("train_supernet", tmp_path, digits)


def test_all_fields_are_considered():
    assert {field.name for field in fields(Job)} == DECIDES.keys() | DOES_NOT.keys() | FOLDERS


@pytest.mark.parametrize("name", DECIDES)
def test_field_that_decides_the_result_changes_the_fingerprint(job, name):
    changed = replace(job, **{name: DECIDES[name]})
    assert changed.fingerprint("cpu") != job.fingerprint("cpu"), f"the fingerprint does not depend on {name}"


@pytest.mark.parametrize("name", DOES_NOT)
def test_other_field_leaves_the_fingerprint_as_it_is(job, name):
    assert replace(job, **{name: DOES_NOT[name]}).fingerprint("cpu") == job.fingerprint("cpu")


def test_folder_of_the_results_leaves_the_fingerprint_as_it_is(job, tmp_path):
    assert replace(job, unit=tmp_path / "other").fingerprint("cpu") == job.fingerprint("cpu")


@pytest.mark.parametrize("stage", ["retrain", "retrain_final", "search_architecture"])
def test_version_counts_in_every_stage(tmp_path, digits, stage):
    for file in ("architecture.json", "result.json", "supernet.safetensors", "supernet.json"):
        write_json(tmp_path / file, {})
    job = make_job(stage, tmp_path, digits)
    assert replace(job, version=job.version + 1).fingerprint("cpu") != job.fingerprint("cpu")
