"""The tests that Snakemake has for all executors, and its options that limit jobs, submissions and queries."""

import time

import pytest
from pbs_site import SHAPES, Site
from snakemake.common.tests import TestWorkflowsLocalStorageBase
from snakemake_executor_plugin_pbs import ExecutorSettings


class TestOfAllExecutors(TestWorkflowsLocalStorageBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def on_a_site(self, tmp_path_factory, monkeypatch):
        site = Site(tmp_path_factory.mktemp("pbs"))
        monkeypatch.setenv("PATH", site.environment["PATH"])
        monkeypatch.chdir(site.folder)
        yield
        assert site.jobs() and set(site.states().values()) == {"F/92/0"}
        site.end_all()

    def get_executor(self):
        return "pbs"

    def get_executor_settings(self):
        return ExecutorSettings(project="grp", shapes=list(SHAPES))


MANY = """
rule all:
    input: expand("{i}.txt", i=range(8))
rule many:
    output: "{i}.txt"
    group: "short"
    resources: runtime=3
    shell: "touch begun.{wildcards.i}; touch {output}"
"""


def test_jobs_limits_those_that_are_queued_or_running(site):
    site.workflow(MANY)
    site.set("hold", "yes")
    process = site.start("--jobs", 3)
    site.wait_for(lambda: len(site.jobs()) == 3)
    rounds = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) > rounds + 2)
    assert len(site.jobs()) == 3
    process.terminate()
    assert process.wait(timeout=180) != 0 and set(site.states().values()) == {"F/91"}


def test_group_components_make_one_pbs_job_of_many(site):
    """Four members fill a memory of two, so two pairs run one after the other, and their runtimes add up."""
    site.workflow(MANY)
    status, printed = site.run("--group-components", "short=4", "--resources", "mem_mb=2000")
    assert status == 0, printed
    assert len(site.calls("qsub")) == 2 and site.all_running(8)
    assert {job["walltime"] for job in site.jobs().values()} == {"0:06:00"}


def test_number_of_submissions_per_second(site):
    site.workflow(MANY)
    site.set("hold", "yes")
    process = site.start("--max-jobs-per-timespan", "1/1s")
    site.wait_for(lambda: len(site.jobs()) == 8)
    times = sorted((site.state / f"{job}.sh").stat().st_mtime for job in site.jobs())
    assert times[-1] - times[0] > 6
    process.terminate()
    process.wait(timeout=180)


def test_number_of_status_checks_per_second(site):
    """Without a pause between status rounds, only this option limits the queries."""
    site.workflow(MANY)
    site.set("hold", "yes")
    process = site.start("--max-status-checks-per-second", 0.25, "--seconds-between-status-checks", 0)
    site.wait_for(lambda: site.calls("qstat"))
    before, begun = len(site.calls("qstat")), time.monotonic()
    site.wait_for(lambda: len(site.calls("qstat")) >= before + 3)
    assert time.monotonic() - begun > 7
    process.terminate()
    process.wait(timeout=180)
