"""What is read of what qsub wrote."""

import pytest
from snakemake_executor_plugin_pbs.journal import read_id


@pytest.mark.parametrize(
    ("printed", "external"),
    [
        ("1234.pbs1\n", "1234.pbs1"),
        ("a word of welcome\n1234.pbs1.example.org\n", "1234.pbs1.example.org"),
        ("38[].pbs1\n", "38[].pbs1"),
        ("usage: qsub [-a date_time] [-A account] 5 more\n", ""),
        ("", ""),
    ],
)
def test_id(tmp_path, printed, external):
    (tmp_path / "a.id").write_text(printed)
    assert read_id(tmp_path / "a.id") == external


def test_no_file(tmp_path):
    assert read_id(tmp_path / "a.id") == ""
