"""profiles/abci/pack.sh on the stand-in for PBS, with a program for Snakemake: lock, prologue and last lines."""

import fcntl
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

PROFILE = Path(__file__).resolve().parents[2] / "profiles/abci"
AGAIN = "type: qsub -P your-group -v CONFIG=study.yaml profiles/abci/pack.sh"
SNAKEMAKE = """#!/bin/bash
echo "$@" >> calls
if [[ $* == *--unlock* ]]; then exit 0; fi
echo "$MODULE" > module
touch begun results
while [[ ! -e over ]]; do sleep .1; done
echo At least one job did not complete successfully.
exit $(< over)
"""


@pytest.fixture
def packed(site):
    """The site, with a folder in which pack.sh can run."""
    shutil.copytree(PROFILE, site.folder / "profiles/abci")
    with (site.folder / "profiles/abci/prologue.sh").open("a") as prologue:
        prologue.write("export MODULE=loaded\n")
    programs = site.folder / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f"PATH='{programs}':$PATH\n")
    (programs / "snakemake").write_text(SNAKEMAKE)
    (programs / "snakemake").chmod(0o755)
    yield site
    (site.folder / "over").write_text("0")


def submit(site):
    command = [site.programs / "qsub", "-P", "paying", "-v", "CONFIG=study.yaml", "profiles/abci/pack.sh"]
    subprocess.run(command, cwd=site.folder, env=site.environment, check=True, stdout=subprocess.DEVNULL)


def last_line(site, number):
    """Wait for the end of a job, and return the last line of its output."""
    site.wait_for(lambda: site.states()[f"{number}.pbs1"].startswith("F"))
    return (site.folder / f"nasmake.o{number}").read_text().splitlines()[-1]


def calls(site):
    return (site.folder / "calls").read_text().splitlines()


def begin(site):
    submit(site)
    site.wait_for((site.folder / "begun").exists)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("0", "pack.sh: the study is complete"),
        ("1", f"pack.sh: the study is not complete; the reasons stand above; to continue, {AGAIN}"),
    ],
)
def test_last_line_says_how_the_study_ended(packed, status, line):
    begin(packed)
    (packed.folder / "over").write_text(status)
    assert last_line(packed, 1) == line
    arguments = "--profile profiles/local --configfile study.yaml"
    assert calls(packed) == [f"{arguments} --unlock", arguments]
    assert (packed.folder / "module").read_text() == "loaded\n"
    assert stat.S_IMODE((packed.folder / "results").stat().st_mode) == 0o640


def test_second_job_leaves_the_lock_of_the_first_one(packed):
    begin(packed)
    submit(packed)
    assert last_line(packed, 2).startswith(
        f"pack.sh: a study is running in {packed.folder}; expected none; wait for its"
    )
    assert len(calls(packed)) == 2  # neither --unlock nor a study
    (packed.folder / "over").write_text("0")
    assert last_line(packed, 1) == "pack.sh: the study is complete"


def test_study_that_was_started_by_hand_keeps_its_lock(packed):
    (packed.folder / ".snakemake").mkdir()
    with (packed.folder / ".snakemake/controller").open("w") as controller:
        fcntl.flock(controller, fcntl.LOCK_EX)
        submit(packed)
        assert "a study is running" in last_line(packed, 1)
    assert not (packed.folder / "calls").exists()


def test_last_line_of_a_job_that_pbs_ends(packed):
    begin(packed)
    subprocess.run([packed.programs / "qdel", "1.pbs1"], env=packed.environment, check=True)
    ended = "pack.sh: PBS ended this job, because its walltime is over or somebody typed qdel; to continue, " + AGAIN
    assert last_line(packed, 1) == ended
    assert packed.states()["1.pbs1"] == "F/91/271"
