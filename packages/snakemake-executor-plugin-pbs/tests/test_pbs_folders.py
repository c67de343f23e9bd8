"""Permissions of what jobs write, and work directories whose names have spaces or characters that are not ASCII."""

import stat
from pathlib import Path

import pytest
from pbs_site import Site

MAKE = """
rule make:
    output: "results/made.txt"
    shell: "touch {output}"
"""


def permissions(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.parametrize(("umask", "file", "folder"), [(0o027, "0o640", "0o750"), (0, "0o666", "0o777")])
def test_jobs_have_the_umask_of_snakemake(site, umask, file, folder):
    """Without -W umask, PBS starts jobs with 077, and a group could not read the results of its members."""
    site.umask = umask
    site.workflow(MAKE)
    status, printed = site.run()
    assert status == 0, printed
    assert permissions(site.folder / "results/made.txt") == file
    assert permissions(site.folder / "results") == folder
    (log,) = (site.folder / ".snakemake/pbs_logs").iterdir()
    assert permissions(log) == file


@pytest.mark.parametrize("work", ["日本 実験", "with space, and: marks"])
def test_work_directory_with_any_name(tmp_path, work):
    """qsub refuses an -o whose bytes are not printable ASCII. Spaces, commas and colons are accepted."""
    site = Site(tmp_path / "pbs", work)
    site.workflow(MAKE)
    status, printed = site.run()
    assert status == 0, printed
    assert (site.folder / "results/made.txt").exists()
    (log,) = (site.folder / ".snakemake/pbs_logs").iterdir()
    assert log.read_text().startswith("PBS job 1.pbs1 on ")
    (call,) = site.calls("qsub")
    assert (not Path(call[call.index("-o") + 1]).is_absolute()) == (not work.isascii())


def test_log_folder_with_a_name_that_qsub_refuses(site):
    site.workflow(MAKE)
    status, printed = site.run("--pbs-logdir", "ログ")
    assert status == 1 and site.calls("qsub") == []
    assert printed.splitlines()[-1] == (
        f"Error: --pbs-logdir is {site.folder}/ログ; expected a path of printable ASCII characters, or one within the "
        "work directory whose own name has no other characters; type: --pbs-logdir .snakemake/pbs_logs"
    )
