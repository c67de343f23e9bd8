"""Ctrl-C, SIGTERM and a crash of Snakemake: every job is deleted or followed, and none is submitted twice."""

import signal
import time

import pytest
from pbs_works import WORK, crash_while_running, finish, write_workflow

pytestmark = pytest.mark.slow


def all_have_succeeded(site):
    return set(site.states().values()) == {"F/92/0"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupt_during_a_status_round(site, number):
    """The signal arrives while qstat runs, and again while jobs are deleted."""
    write_workflow(site)
    process = site.start()
    site.wait_for(lambda: site.all_running(6))
    rounds = len(site.calls("qstat"))
    site.set("qstat_seconds", 3)
    site.wait_for(lambda: len(site.calls("qstat")) > rounds)
    process.send_signal(number)
    site.wait_for(lambda: site.calls("qdel"))
    process.send_signal(number)
    assert process.wait(timeout=180) != 0
    assert "Deleting 6 PBS jobs." in site.printed.read_text()
    site.wait_for(lambda: set(site.states().values()) == {"F/91/271"})
    assert len(site.calls("qdel")) == 1

    site.set("qstat_seconds", 0)
    finish(site)
    assert site.run()[0] == 0  # the next run continues
    assert len(site.calls("qsub")) == 6 + 6 + 1


def test_interrupt_during_submission(site):
    write_workflow(site, 40)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.jobs()) >= 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=180) != 0
    assert len(site.jobs()) == len(site.calls("qsub"))
    assert set(site.states().values()) == {"F/91"}


LINGERING = """
rule work:
    output: "made.txt"
    shell:
        "trap 'sleep 8; touch over; exit 1' TERM; touch begun.0;"
        "while [ ! -e over ]; do sleep .2; done; touch {output}"
"""


def test_next_run_waits_for_deleted_jobs_that_still_run(site):
    """PBS waits ten seconds before it kills a deleted job. The new job must not run at the same time."""
    site.workflow(LINGERING)
    site.set("kill_delay", 10)
    trap = ("--pbs-prologue", "trap : TERM")  # otherwise the job's shell, and so the PBS job, would end at once
    process = site.start(*trap)
    site.wait_for(lambda: site.all_running(1) and site.calls("qstat"))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=180)
    assert site.states() == {"1.pbs1": "R/42"}
    process = site.start(*trap)
    site.wait_for(lambda: len(site.calls("qsub")) == 2)
    assert site.states()["1.pbs1"] == "F/91/271"
    assert process.wait(timeout=180) == 0
    printed = site.printed.read_text()
    assert "earlier run is queued or running" not in printed and len(site.calls("qdel")) == 1
    waits, ends = (printed.count(text) for text in ("waits for the end of PBS job 1", "of an earlier run has ended"))
    assert waits == ends <= 1  # none if the job ended before the second run could look at it


def test_restart_after_a_crash_follows_running_jobs(site):
    write_workflow(site)
    crash_while_running(site, 6)
    assert set(site.states().values()) == {"R/42"}

    process = site.start()
    site.wait_for(lambda: site.printed.read_text().count(" of an earlier run is queued or running") == 6)
    finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    assert len(site.calls("qsub")) == 6 + 1  # one more for rule tail
    assert (site.folder / "tail.txt").read_text() == "first\n" * 6

    write_workflow(site, word="second")  # the params of the first results were recorded
    finish(site)
    assert site.run()[0] == 0
    assert (site.folder / "tail.txt").read_text() == "second\n" * 6


def test_crash_during_submission(site):
    """No job is submitted twice, and none is lost."""
    write_workflow(site, 40)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.calls("qsub")) >= 4)
    site.crash(process)
    time.sleep(1)  # a qsub that was running ends
    submitted = len(site.jobs())
    assert 3 <= submitted < 40

    process = site.start()
    site.wait_for(lambda: len(site.jobs()) == 40)
    assert site.printed.read_text().count(" of an earlier run is queued or running") == submitted
    process.send_signal(signal.SIGINT)
    process.wait(timeout=180)
    assert set(site.states().values()) == {"F/91"}


def test_crash_while_qsub_runs(site):
    """The next run waits for the qsub that the killed Snakemake started."""
    write_workflow(site, 1)
    site.set("qsub_seconds", 6)
    process = site.start()
    site.wait_for(lambda: site.calls("qsub"))
    site.crash(process)
    assert site.jobs() == {}
    site.set("qsub_seconds", 0)
    process = site.start()
    site.wait_for(lambda: "PBS job 1.pbs1 of an earlier run is queued or running" in site.printed.read_text())
    finish(site)
    assert process.wait(timeout=180) == 0
    assert len(site.calls("qsub")) == 1 + 1


def test_new_job_waits_while_an_outdated_job_cannot_be_deleted(site):
    write_workflow(site, 1)
    crash_while_running(site, 1)
    site.set("qdel_fails", "yes")
    write_workflow(site, 1, word="second")
    process = site.start()
    site.wait_for(lambda: len(site.calls("qdel")) > 3)
    assert list(site.states().values()) == ["R/42"]
    cannot = "cannot be deleted (qdel: cannot connect to server pbs1 (errno=15010)); its state is R"
    assert site.printed.read_text().count(cannot) == 1
    (site.state / "qdel_fails").unlink()
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", "R/42"])
    finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    assert (site.folder / "tail.txt").read_text() == "second\n"


def test_results_made_just_before_ctrl_c_are_recorded_by_the_next_run(site):
    write_workflow(site, 1)
    process = site.start("--seconds-between-status-checks", 60)
    site.wait_for(lambda: site.all_running(1))
    site.wait_for(lambda: site.calls("qstat"))  # the next status round starts 60 seconds later
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=180) != 0
    write_workflow(site, 1, word="second")
    status, printed = site.run()
    assert status == 1
    assert "0.txt: PBS job 1.pbs1 of an earlier run made this file from other inputs or params" in printed
    write_workflow(site, 1)
    finish(site)
    assert site.run()[0] == 0
    assert len(site.calls("qsub")) == 1 + 1


def test_params_or_inputs_change_after_a_crash(site):
    """Jobs with outdated params or inputs are deleted and submitted again."""
    write_workflow(site, 2)
    crash_while_running(site, 2)

    write_workflow(site, 2, word="second")
    process = site.start()
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", "F/91/271", "R/42", "R/42"])
    site.crash(process)
    time.sleep(0.1)
    (site.folder / "Snakefile.lock").touch()
    process = site.start()
    site.wait_for(lambda: list(site.states().values())[2:4] == ["F/91/271", "F/91/271"] and len(site.jobs()) == 6)
    finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    assert (site.folder / "tail.txt").read_text() == "second\n" * 2


def test_jobs_end_while_no_snakemake_is_running(site):
    """Their results are valid. Their provenance is recorded, so a later change of params triggers a rerun."""
    write_workflow(site, 2)
    crash_while_running(site, 2)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))

    write_workflow(site, 2, word="second")
    status, printed = site.run()
    assert status == 1
    assert "made this file from other inputs or params; delete the file, or type: snakemake" in printed
    write_workflow(site, 2)
    finish(site)
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.calls("qsub")) == 2 + 1
    write_workflow(site, 2, word="third")
    finish(site)
    assert site.run()[0] == 0
    assert (site.folder / "tail.txt").read_text() == "third\n" * 2

    write_workflow(site, 2, word="fourth")  # again, but over outputs whose provenance is recorded
    for begun in site.folder.glob("begun.*"):
        begun.unlink()
    crash_while_running(site, 2)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    before = len(site.calls("qsub"))
    status, printed = site.run()
    assert status == 0 and printed.count(" of an earlier run has finished") == 2
    assert len(site.calls("qsub")) == before + 1
    assert (site.folder / "tail.txt").read_text() == "fourth\n" * 2


def test_server_does_not_answer_after_a_crash(site):
    write_workflow(site, 1)
    crash_while_running(site, 1)
    site.set("qstat_failures", 100)
    status, printed = site.run()
    assert status == 1
    assert "qstat: no state reported for jobs of an earlier run (1.pbs1); try again" in printed
    assert len(site.calls("qsub")) == 1


def test_group_job_is_one_pbs_job_and_is_followed_unless_the_groups_change(site):
    grouped = WORK.replace("    resources: gpu=1\n", '    group: "four"\n')
    site.workflow(grouped.replace("NUMBER", "4").replace("WORD", "first"))
    for name in ("working", "Snakefile.lock"):
        (site.folder / name).touch()
    process = site.start("--group-components", "four=4")
    site.wait_for(
        lambda: len(list(site.folder.glob("begun.*"))) >= 2
    )  # --cores all: the number of parallel members depends on the host
    site.crash(process)
    process = site.start("--group-components", "four=4")
    site.wait_for(lambda: site.printed.read_text().count(" of an earlier run is queued or running") == 1)
    site.crash(process)
    process = site.start("--group-components", "four=1")
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", *["R/42"] * 4])
    finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    assert len(site.calls("qsub")) == 1 + 4 + 1


CHAIN = """
rule all:
    input: "last.txt"
rule first:
    output: "first.txt"
    params: word="WORD"
    group: "chain"
    shell: "touch begun.0; while [ -e working ]; do sleep .2; done; echo {params.word} > {output}"
rule last:
    input: "first.txt"
    output: "last.txt"
    group: "chain"
    shell: "cp {input} {output}"
"""


def test_group_job_ends_while_no_snakemake_is_running(site):
    site.workflow(CHAIN.replace("WORD", "one"))
    (site.folder / "working").touch()
    crash_while_running(site, 1)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    site.workflow(CHAIN.replace("WORD", "one") + "rule more:\n    output: 'more.txt'\n    shell: 'touch {output}'\n")
    assert site.run("more.txt")[0] == 0  # a run with other targets keeps the journal entry
    assert site.run("more.txt", "last.txt", "--forcerun", "more")[0] == 0
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []
    site.workflow(CHAIN.replace("WORD", "two"))
    assert site.run()[0] == 0
    assert (site.folder / "last.txt").read_text() == "two\n"


def test_500_jobs_need_five_calls_of_qstat_per_round(site):
    write_workflow(site, 500)
    site.set("hold", "yes")
    process = site.start("--seconds-between-status-checks", 5)
    site.wait_for(lambda: len(site.jobs()) == 500, seconds=300)
    calls_before = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) >= calls_before + 20, seconds=120)
    calls = [set(call[2:]) for call in site.calls("qstat")][-15:]
    first = min(index for index in range(5) if len(set.union(*calls[index : index + 5])) == 500)
    rounds = [calls[start : start + 5] for start in (first, first + 5)]
    assert all(len(call) == 100 for calls_of_round in rounds for call in calls_of_round)
    assert all(len(set.union(*calls_of_round)) == 500 for calls_of_round in rounds)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=180)
    assert set(site.states().values()) == {"F/91"}
    assert len(site.calls("qdel")) == 5
