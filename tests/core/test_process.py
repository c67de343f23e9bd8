"""Tests of nasmake.core.process; tests/jobs/test_launch.py tests the ranks of a real job."""

from nasmake.core.files import write_atomically
from nasmake.core.process import LOADER_WORKERS, PROCESSES, RANK, is_rank, loader_workers, process_count, rank


def test_a_job_without_ranks(monkeypatch):
    for name in (RANK, PROCESSES, LOADER_WORKERS):
        monkeypatch.delenv(name, raising=False)
    assert (is_rank(), rank(), process_count(), loader_workers()) == (False, 0, 1, 0)


def test_one_rank_of_several(monkeypatch, tmp_path):
    for name, value in ((RANK, "1"), (PROCESSES, "2"), (LOADER_WORKERS, "3")):
        monkeypatch.setenv(name, value)
    assert (is_rank(), rank(), process_count(), loader_workers()) == (True, 1, 2, 3)
    write_atomically(tmp_path / "file", b"x")  # only rank 0 writes
    assert list(tmp_path.iterdir()) == []
