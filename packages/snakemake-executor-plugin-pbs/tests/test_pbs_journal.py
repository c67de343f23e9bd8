"""The job id in the output of qsub."""

import pytest
from snakemake_executor_plugin_pbs.journal import read_job_id


@pytest.mark.parametrize(
    ("output", "job_id"),
    [
        ("1234.pbs1\n", "1234.pbs1"),
        ("message of the day\n1234.pbs1.example.org\n", "1234.pbs1.example.org"),
        ("38[].pbs1\n", "38[].pbs1"),
        ("usage: qsub [-a date_time] [-A account] 5 more\n", ""),
        ("", ""),
    ],
)
def test_job_id(tmp_path, output, job_id):
    (tmp_path / "a.id").write_text(output)
    assert read_job_id(tmp_path / "a.id") == job_id


def test_without_a_file(tmp_path):
    assert read_job_id(tmp_path / "a.id") == ""
