"""Tests of nasmake.pipeline.controller: what it exports to its jobs. test_lock.py and tests/workflow have the rest."""

import os
import signal
from types import SimpleNamespace

import pytest
from nasmake.config import load
from nasmake.core.process import DATASET_URL, dataset_url
from nasmake.pipeline.controller import control, export_environment

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


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("blocked", ["", "metadata"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, signals, monkeypatch, blocked):
    folder = tmp_path / ".snakemake"
    (folder / "metadata").mkdir(parents=True)
    (folder / "log").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder / blocked)  # as for a user who is not root
    with pytest.raises(SystemExit) as ended:
        control(SimpleNamespace(execute=print), folder)
    assert ended.value.code == (
        f"error: {folder / blocked}: cannot be written; expected a folder in which Snakemake can keep its notes"
    )


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path, signals):
    (tmp_path / ".snakemake").write_text("")
    with pytest.raises(SystemExit, match=r"error: .*\.snakemake: cannot be written; expected a folder"):
        control(SimpleNamespace(execute=print), tmp_path / ".snakemake")
