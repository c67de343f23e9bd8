"""Jobs that do not start, cannot be deleted or end, or whose ids were lost: a line says so, and none is doubled."""

import json
import os
import signal
import subprocess

import pytest
from pbs_works import crash_while_running, finish, write_workflow


def test_held_jobs_are_told_once(site):
    write_workflow(site, 2)
    process = site.start()
    site.wait_for(lambda: site.all_running(2))
    site.set("held", json.dumps(["1.pbs1"]))
    line = r"PBS job 1.pbs1 is held and does not start; to release it, type: qrls 1.pbs1"
    site.wait_for(lambda: line in site.printed.read_text())
    rounds = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) > rounds + 2)
    site.set("held", "[]")
    site.wait_for(lambda: "PBS job 1.pbs1 is no longer held" in site.printed.read_text())
    finish(site)
    assert process.wait(timeout=180) == 0
    printed = site.printed.read_text()
    assert printed.count("is held") == printed.count("no longer held") == 1


def test_stopped_queue_is_told_once(site):
    write_workflow(site, 2)
    site.set("hold", "yes")
    site.set("stopped", "rt_HG")
    process = site.start()
    line = "and later jobs wait: queue rt_HG is stopped, and its administrators can start it again"
    site.wait_for(lambda: line in site.printed.read_text())
    rounds = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) > rounds + 2)
    (site.state / "stopped").unlink()
    ended = "no job waits for the stopped queue rt_HG any more"
    site.wait_for(lambda: ended in site.printed.read_text())
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert site.printed.read_text().count(line) == site.printed.read_text().count(ended) == 1


@pytest.mark.slow
def test_leftover_that_cannot_end_is_told_once(site):
    """Its node is down: PBS accepts qdel, but the job stays in state R until somebody deletes it with force."""
    write_workflow(site, 1)
    crash_while_running(site, 1)
    write_workflow(site, 1, word="second")
    site.set("node_down", "yes")
    process = site.start()
    line = (
        "waits for the end of PBS job 1.pbs1 of an earlier run, which writes the same files and was deleted; its state "
        "is R; if its node is down, type: qdel -W force 1.pbs1"
    )
    site.wait_for(lambda: line in site.printed.read_text())
    rounds = len(site.calls("qstat"))
    site.wait_for(lambda: len(site.calls("qstat")) > rounds + 3)
    assert len(site.calls("qdel")) == 1 and len(site.calls("qsub")) == 1
    (site.state / "node_down").unlink()
    subprocess.run([site.programs / "qdel", "1.pbs1"], env=site.environment, check=True)  # stands for -W force
    site.wait_for(lambda: len(site.calls("qsub")) == 2)
    finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    printed = site.printed.read_text()
    assert printed.count(line) == printed.count("PBS job 1.pbs1 of an earlier run has ended") == 1
    assert (site.folder / "tail.txt").read_text() == "second\n"


@pytest.mark.slow
def test_one_job_that_qdel_refuses(site):
    """The others of its call are marked as deleted, so the next run does not follow jobs that are about to end."""
    write_workflow(site, 3)
    process = site.start()
    site.wait_for(lambda: site.all_running(3))
    site.set("qdel_refuses", "2.pbs1")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=180) != 0
    refused = "qdel: 1 jobs may still run (qdel: Unauthorized Request 2.pbs1); type: qdel 2.pbs1"
    assert site.printed.read_text().count(refused) == 1
    entries = [json.loads(path.read_text()) for path in (site.folder / ".snakemake/pbs_jobs").glob("*.json")]
    assert sorted(entry["is_deleted"] for entry in entries) == [False, True, True]
    assert site.calls("qdel")[1:] == [["2.pbs1"], ["2.pbs1"]]
    process = site.start()
    site.wait_for(lambda: len(site.calls("qsub")) == 3 + 2)
    finish(site)
    assert process.wait(timeout=180) == 0
    assert site.printed.read_text().count("PBS job 2.pbs1 of an earlier run is queued or running") == 1


@pytest.mark.slow
@pytest.mark.parametrize("has_ended", [False, True])
def test_host_dies_between_the_acceptance_and_the_answer_of_qsub(site, has_ended):
    """The job's id is written nowhere. The name of its log identifies it."""
    write_workflow(site, 1)
    site.set("qsub_hangs", "yes")
    process = site.start()
    site.wait_for(lambda: site.all_running(1))
    site.crash(process)
    _kill_qsub(site)
    (site.state / "qsub_hangs").unlink()
    assert [path.read_text() for path in (site.folder / ".snakemake/pbs_jobs").glob("*.id")] == [""]
    if has_ended:
        finish(site)
        site.wait_for(lambda: list(site.states().values()) == ["F/92/0"])
    process = site.start()
    if not has_ended:
        site.wait_for(lambda: "PBS job 1.pbs1 of an earlier run is queued or running" in site.printed.read_text())
        finish(site)
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    assert len(site.calls("qsub")) == 1 + 1  # one for rule tail
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []


def _kill_qsub(site):
    """Kill the qsub that hangs, but not the job that it started."""
    found = subprocess.run(["pgrep", "-f", str(site.programs / "qsub")], capture_output=True, text=True, check=True)
    for number in map(int, found.stdout.split()):
        if os.getsid(number) == number and not _is_node(number, site):
            os.kill(number, signal.SIGKILL)


def _is_node(number, site):
    """Return whether a process is the copy of qsub that stands for the node and waits for the job to end."""
    pids = {path.read_text() for path in site.state.glob("*.pid")}
    children = subprocess.run(["pgrep", "--parent", str(number)], capture_output=True, text=True).stdout.split()
    return bool(pids & set(children))


@pytest.mark.slow
def test_neither_qsub_nor_qstat_answers(site):
    """The job fails without a retry, which could double it; the next run finds it."""
    write_workflow(site, 1)
    site.set("qsub_no_reply", "yes")
    site.set("qstat_failures", 3)
    status, printed = site.run()
    assert status == 1 and len(site.calls("qsub")) == 1
    assert "qsub and qstat do not answer (qstat: cannot connect to server pbs1 (errno=15010))" in printed
    (site.state / "qsub_no_reply").unlink()
    process = site.start()
    site.wait_for(lambda: "PBS job 1.pbs1 of an earlier run is queued or running" in site.printed.read_text())
    finish(site)
    assert process.wait(timeout=180) == 0
