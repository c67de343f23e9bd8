"""Tests of nasmake.pipeline.controller: what it exports to its jobs. test_lock.py and tests/workflow have the rest."""

import pytest
from nasmake.config import load
from nasmake.core.process import DATASET_URL, dataset_url
from nasmake.pipeline.controller import export_environment

URL = "https://me:s3cret@example.org/a.tar.gz?key=s3cret"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_url_of_the_data_set_reaches_its_job_only(name, monkeypatch):
    for each in ("cifar10", "cifar100"):
        monkeypatch.setenv(DATASET_URL.format(each), "")
        monkeypatch.delenv(DATASET_URL.format(each))
    dataset = {"name": name, "url": URL, "sha256": "0" * 64}
    export_environment(load({"dataset": dataset, "optimize": {"trial_number": 1}}))
    assert {each: dataset_url(each) for each in ("cifar10", "cifar100")} == {"cifar10": None, "cifar100": None} | {
        name: URL
    }
