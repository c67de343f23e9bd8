"""Ctrl-C, SIGTERM and a crash of Snakemake: nothing goes on unseen, nothing is submitted twice."""

import signal
import time

import pytest

pytestmark = pytest.mark.slow

WORK = """
rule all:
    input: expand("{i}.txt", i=range(NUMBER)), "tail.txt"
rule work:
    input: "Snakefile.lock"
    output: "{i}.txt"
    params: word="WORD"
    resources: gpu=1
    shell: "touch begun.{wildcards.i}; while [ -e working ]; do sleep .2; done; echo {params.word} > {output}"
rule tail:
    input: expand("{i}.txt", i=range(NUMBER))
    output: "tail.txt"
    shell: "cat {input} > {output}"
"""


def work(site, number=6, word="first"):
    site.workflow(WORK.replace("NUMBER", str(number)).replace("WORD", word))
    (site.folder / "working").touch()
    lock = site.folder / "Snakefile.lock"
    if not lock.exists():
        lock.touch()


def finish(site):
    (site.folder / "working").unlink()


def crash_at_work(site, number):
    """Start Snakemake and kill it when so many jobs are at work."""
    process = site.start()
    site.wait_for(lambda: site.all_running(number))
    site.crash(process)


def all_have_succeeded(site):
    return set(site.states().values()) == {"F/92/0"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_in_a_status_round(site, number):
    """Running and queued jobs; the signal comes while qstat is at work, and once more while jobs are deleted."""
    work(site)
    process = site.start()
    site.wait_for(lambda: site.all_running(6))
    rounds = len(site.calls("qstat"))
    site.set("slow", 3)
    site.wait_for(lambda: len(site.calls("qstat")) > rounds)
    process.send_signal(number)
    site.wait_for(lambda: site.calls("qdel"))
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    assert "Deleting 6 PBS jobs." in site.printed.read_text()
    site.wait_for(lambda: set(site.states().values()) == {"F/91/271"})
    assert len(site.calls("qdel")) == 1

    site.set("slow", 0)
    finish(site)
    assert site.run()[0] == 0  # and it goes on from there
    assert len(site.calls("qsub")) == 6 + 6 + 1


def test_interrupted_while_jobs_are_queued_and_others_are_being_submitted(site):
    work(site, 40)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.jobs()) >= 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert len(site.jobs()) == len(site.calls("qsub"))
    assert set(site.states().values()) == {"F/91"}


LINGERING = """
rule work:
    output: "made.txt"
    shell:
        "trap 'sleep 8; touch over; exit 1' TERM; touch begun.0;"
        "while [ ! -e over ]; do sleep .2; done; touch {output}"
"""


def test_next_run_waits_for_jobs_that_take_their_time_to_end(site):
    """PBS gives a deleted job ten seconds; its successor must not run beside it."""
    site.workflow(LINGERING)
    site.set("kill_delay", 10)
    trap = ("--pbs-prologue", "trap : TERM")  # else the job's shell is gone at once, and PBS sees the end in that
    process = site.start(*trap)
    site.wait_for(lambda: site.all_running(1) and site.calls("qstat"))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert site.states() == {"1.pbs1": "R/42"}
    process = site.start(*trap)
    site.wait_for(lambda: len(site.calls("qsub")) == 2)
    assert site.states()["1.pbs1"] == "F/91/271"
    assert process.wait(timeout=60) == 0
    assert " is still " not in site.printed.read_text() and len(site.calls("qdel")) == 1


def test_crash_and_restart_takes_up_running_jobs(site):
    work(site)
    crash_at_work(site, 6)
    assert set(site.states().values()) == {"R/42"}

    process = site.start()
    site.wait_for(lambda: site.printed.read_text().count(" is still PBS job ") == 6)
    finish(site)
    assert process.wait(timeout=60) == 0, site.printed.read_text()
    assert len(site.calls("qsub")) == 6 + 1  # and the tail
    assert (site.folder / "tail.txt").read_text() == "first\n" * 6

    work(site, word="second")  # params were recorded
    finish(site)
    assert site.run()[0] == 0
    assert (site.folder / "tail.txt").read_text() == "second\n" * 6


def test_crash_in_the_middle_of_submitting(site):
    """Killed at any moment, even while qsub is at work: no job is submitted twice, none is lost."""
    work(site, 40)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.calls("qsub")) >= 4)
    site.crash(process)
    time.sleep(1)  # a qsub that was under way ends
    submitted = len(site.jobs())
    assert 3 <= submitted < 40

    process = site.start()
    site.wait_for(lambda: len(site.jobs()) == 40)
    assert site.printed.read_text().count(" is still PBS job ") == submitted
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert set(site.states().values()) == {"F/91"}


def test_crash_while_qsub_is_at_work(site):
    """The restart comes at once, and waits for the qsub that the dead Snakemake has left."""
    work(site, 1)
    site.set("slow_qsub", 6)
    process = site.start()
    site.wait_for(lambda: site.calls("qsub"))
    site.crash(process)
    assert site.jobs() == {}
    site.set("slow_qsub", 0)
    process = site.start()
    site.wait_for(lambda: " is still PBS job 1.pbs1" in site.printed.read_text())
    finish(site)
    assert process.wait(timeout=60) == 0
    assert len(site.calls("qsub")) == 1 + 1


def test_outdated_job_that_cannot_be_deleted_holds_up_the_new_one(site):
    work(site, 1)
    crash_at_work(site, 1)
    site.set("no_qdel", "yes")
    work(site, 1, word="second")
    process = site.start()
    site.wait_for(lambda: len(site.calls("qdel")) > 3, seconds=90)
    assert list(site.states().values()) == ["R/42"]
    (site.state / "no_qdel").unlink()
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", "R/42"])
    finish(site)
    assert process.wait(timeout=60) == 0, site.printed.read_text()
    assert (site.folder / "tail.txt").read_text() == "second\n"


def test_results_that_were_finished_just_before_ctrl_c_are_recorded_later(site):
    work(site, 1)
    process = site.start("--seconds-between-status-checks", 60)
    site.wait_for(lambda: site.all_running(1))
    site.wait_for(lambda: site.calls("qstat"))  # the next round is a minute away
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    work(site, 1, word="second")
    status, printed = site.run()
    assert status == 1
    assert "0.txt: PBS job 1.pbs1 made it from other inputs or params" in printed
    work(site, 1)
    finish(site)
    assert site.run()[0] == 0
    assert len(site.calls("qsub")) == 1 + 1


def test_crash_and_other_params_or_inputs_since(site):
    """A job that is left is deleted and submitted anew where its results would be of yesterday."""
    work(site, 2)
    crash_at_work(site, 2)

    work(site, 2, word="second")
    process = site.start()
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", "F/91/271", "R/42", "R/42"])
    site.crash(process)
    time.sleep(0.1)
    (site.folder / "Snakefile.lock").touch()
    process = site.start()
    site.wait_for(lambda: list(site.states().values())[2:4] == ["F/91/271", "F/91/271"] and len(site.jobs()) == 6)
    finish(site)
    assert process.wait(timeout=60) == 0, site.printed.read_text()
    assert (site.folder / "tail.txt").read_text() == "second\n" * 2


def test_jobs_that_end_while_no_snakemake_is_there(site):
    """Their results count, and are recorded: what has changed since is seen, at once or later."""
    work(site, 2)
    crash_at_work(site, 2)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))

    work(site, 2, word="second")
    status, printed = site.run()
    assert status == 1
    assert "made it from other inputs or params, while no Snakemake was there; delete it, or type: snakemake" in printed
    work(site, 2)
    finish(site)
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.calls("qsub")) == 2 + 1
    work(site, 2, word="third")
    finish(site)
    assert site.run()[0] == 0
    assert (site.folder / "tail.txt").read_text() == "third\n" * 2

    work(site, 2, word="fourth")  # once more over results that are recorded: they count, though they are asked for
    for begun in site.folder.glob("begun.*"):
        begun.unlink()
    crash_at_work(site, 2)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    before = len(site.calls("qsub"))
    status, printed = site.run()
    assert status == 0 and printed.count(" was PBS job ") == 2
    assert len(site.calls("qsub")) == before + 1
    assert (site.folder / "tail.txt").read_text() == "fourth\n" * 2


def test_crash_and_a_server_that_does_not_answer(site):
    work(site, 1)
    crash_at_work(site, 1)
    site.set("sick", 100)
    status, printed = site.run()
    assert status == 1
    assert "qstat does not tell whether jobs of the last run are at work: 1.pbs1; try again" in printed
    assert len(site.calls("qsub")) == 1


def test_group_of_jobs_is_one_pbs_job_and_is_taken_up_unless_it_is_divided_anew(site):
    grouped = WORK.replace("    resources: gpu=1\n", '    group: "four"\n')
    site.workflow(grouped.replace("NUMBER", "4").replace("WORD", "first"))
    for name in ("working", "Snakefile.lock"):
        (site.folder / name).touch()
    process = site.start("--group-components", "four=4")
    site.wait_for(lambda: len(list(site.folder.glob("begun.*"))) >= 2)  # --cores all: as many at once as there are
    site.crash(process)
    process = site.start("--group-components", "four=4")
    site.wait_for(lambda: site.printed.read_text().count(" is still PBS job ") == 1)
    site.crash(process)
    process = site.start("--group-components", "four=1")
    site.wait_for(lambda: list(site.states().values()) == ["F/91/271", *["R/42"] * 4])
    finish(site)
    assert process.wait(timeout=60) == 0, site.printed.read_text()
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


def test_group_that_ends_while_no_snakemake_is_there(site):
    site.workflow(CHAIN.replace("WORD", "one"))
    (site.folder / "working").touch()
    crash_at_work(site, 1)
    finish(site)
    site.wait_for(lambda: all_have_succeeded(site))
    site.workflow(CHAIN.replace("WORD", "one") + "rule more:\n    output: 'more.txt'\n    shell: 'touch {output}'\n")
    assert site.run("more.txt")[0] == 0  # asks for something else: what was left stays noted
    assert site.run("more.txt", "last.txt", "--forcerun", "more")[0] == 0
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []
    site.workflow(CHAIN.replace("WORD", "two"))
    assert site.run()[0] == 0
    assert (site.folder / "last.txt").read_text() == "two\n"


def test_five_hundred_jobs_are_five_calls_a_round(site):
    work(site, 500)
    site.set("hold", "yes")
    process = site.start("--seconds-between-status-checks", 5)
    site.wait_for(lambda: len(site.jobs()) == 500, seconds=300)
    asked = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) >= asked + 20, seconds=120)
    calls = [set(call[2:]) for call in site.calls("qstat")][-15:]
    first = min(index for index in range(5) if len(set.union(*calls[index : index + 5])) == 500)
    rounds = [calls[start : start + 5] for start in (first, first + 5)]
    assert all(len(call) == 100 for calls_of_round in rounds for call in calls_of_round)
    assert all(len(set.union(*calls_of_round)) == 500 for calls_of_round in rounds)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    assert set(site.states().values()) == {"F/91"}
    assert len(site.calls("qdel")) == 5
