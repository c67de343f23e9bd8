"""Jobs through --executor pbs and a stand-in for the server: what is asked, where they start, how each end is told."""

import json
import os
import sys
from pathlib import Path

from test_pbs_verdicts import ENDS, attributes

ENVIRONMENT = """
rule all:
    input: "told.txt"

rule tell:
    output: "told.txt"
    log: "logs/tell.log"
    threads: 2
    resources: gpu=1, runtime=90
    shell: "(pwd; echo $PATH; echo braces {{1..3}} $MOOD) > {output}"
"""


def test_where_a_job_starts_and_what_it_is_given(site):
    site.workflow(ENVIRONMENT)
    prologue = ('export MOOD="quite ${HOME:+well}"', "echo prologue of $PBS_JOBID")
    status, printed = site.run("--pbs-extra=-p 1", "--pbs-prologue", *prologue)
    assert status == 0, printed

    folder, path, words = (site.folder / "told.txt").read_text().splitlines()
    assert folder == str(site.folder)
    assert path.startswith(site.environment["PATH"].split(os.pathsep)[0])
    assert words == "braces 1 2 3 quite well"
    (call,) = site.calls("qsub")
    asked = dict(zip(call[:-1:2], call[1:-1:2], strict=True))
    log = Path(asked.pop("-o"))
    assert asked == {
        "-P": "grp",
        "-q": "rt_HG",
        "-l": "walltime=1:30:00",
        "-N": "tell",
        "-r": "n",
        "-j": "oe",
        "-k": "oed",
        "-p": "1",
    }
    assert "select=1" in call
    assert f"Job 1 is PBS job 1.pbs1, log {log}" in printed
    header, said = log.read_text().splitlines()[:2]
    assert header == f"PBS job 1.pbs1 on {os.uname().nodename}, queue rt_HG, GPUs as the node shows them"
    assert said == "prologue of 1.pbs1"
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []


def test_every_end_is_told_in_the_words_of_its_reason(site):
    cases = [case for case in ENDS if case[4]]
    for number, case in enumerate(cases):
        ends = [attributes("E", "51", None), attributes(*case[:4])]
        (site.state / "ends" / f"fails.{number}").write_text(json.dumps(ends))
    # A node lost of a job that PBS may run again: Exit_status is there while it is queued anew.
    requeued = [attributes("Q", "10", "-20"), attributes("R", "42", None), attributes("F", "93", "-20")]
    (site.state / "ends" / f"fails.{len(cases)}").write_text(json.dumps(requeued))
    site.workflow(
        f"rule all:\n    input: expand('{{i}}.txt', i=range({len(cases) + 1}))\n"
        "rule fails:\n    output: '{i}.txt'\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run()
    assert status == 1
    names = {job: found["Job_Name"] for job, found in site.jobs().items()}
    for job, name in names.items():
        number = int(name.partition(".")[2])
        why = cases[number][4] if number < len(cases) else "its node was lost"
        assert f"message: PBS job {job}: " in printed
        line = next(line for line in printed.splitlines() if f"PBS job {job}: " in line)
        assert why in line
    assert len(names) == len(cases) + 1
    assert len(site.calls("qsub")) == len(names)


REAL_ENDS = """
rule all:
    input: "good.txt", "bad.txt", "killed.txt", "long.txt"
rule good:
    output: "good.txt"
    shell: "touch {output}"
rule bad:
    output: "bad.txt"
    shell: "exit 3"
rule killed:
    output: "killed.txt"
    shell: "kill -KILL -- -$(ps -o sid= -p $$ | tr -d ' ')"
rule long:
    output: "long.txt"
    retries: 1
    resources: runtime=lambda wildcards, attempt: 1 if attempt == 1 else 90
    shell: "test {resources.runtime} = 90 || sleep 90; touch {output}"
"""


def test_real_ends_and_a_retry_with_more_walltime(site):
    site.workflow(REAL_ENDS)
    site.set("minute", 3)
    status, printed = site.run()
    assert status == 1
    states = [(found["Job_Name"], found["walltime"], site.states()[job]) for job, found in site.jobs().items()]
    assert sorted(states) == [
        ("bad", "1:00:00", "F/93/1"),
        ("good", "1:00:00", "F/92/0"),
        ("killed", "1:00:00", "F/93/265"),
        ("long", "0:01:00", "F/93/-29"),
        ("long", "1:30:00", "F/92/0"),
    ]
    assert ": walltime exceeded: raise runtime. " in printed
    ids = {found["Job_Name"]: job for job, found in site.jobs().items()}
    said = {line for line in printed.splitlines() if line.startswith(("bad: ", "killed: ", "long: "))}
    assert said == {  # at the end, and not of what a retry has mended
        f"bad: PBS job {ids['bad']}: exit status 1",
        f"killed: PBS job {ids['killed']}: killed from outside by signal 9 (exit status 265)",
    }
    assert (site.folder / "long.txt").exists()
    logs = [call[call.index("-o") + 1] for call in site.calls("qsub") if "long" in call]
    assert len(set(logs)) == 2


def test_refusals_are_failures_of_the_job_in_the_words_of_pbs(site):
    site.workflow(
        "rule all:\n    input: 'queue.txt', 'long.txt', 'big.txt'\n"
        "rule queue:\n    output: 'queue.txt'\n    resources: pbs_queue='rt_XX'\n    shell: 'touch {output}'\n"
        "rule long:\n    output: 'long.txt'\n    resources: runtime=12000\n    shell: 'touch {output}'\n"
        "rule big:\n    output: 'big.txt'\n    resources: gpu=2\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run()
    assert status == 1
    assert "qsub refused it (exit 170): qsub: Unknown queue" in printed
    assert "qsub refused it (exit 188): qsub: Job violates queue and/or server resource limits" in printed
    assert "no queue of --pbs-shapes holds gpu=2 threads=1 mem_mb=1000; ask for less, or set pbs_queue" in printed
    site.workflow(
        "rule all:\n    input: '0.txt', '1.txt'\n"
        "rule touch:\n    output: '{i}.txt'\n    group: 'pair'\n    resources: gpu=1\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run("--group-components", "pair=2")
    assert status == 1
    assert "\npair_touch: not submitted: no queue of --pbs-shapes holds gpu=2 threads=2" in printed
    assert site.jobs() == {}
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []


TOUCH = """
rule all:
    input: expand("{i}.txt", i=range(5))
rule touch:
    output: "{i}.txt"
    shell: "touch {output}"
"""


def test_reservation(site):
    site.workflow(TOUCH.replace("range(5)", "range(1)"))
    status, printed = site.run("--pbs-reservation", "R1234")
    assert status == 0, printed
    (found,) = site.jobs().values()
    assert found["queue"] == "R1234" and found["Variable_List"].endswith(",RTYPE=rt_HC")


def test_a_user_at_the_limit_of_jobs_waits(site):
    site.workflow(TOUCH)
    site.set("limit", 2)
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.jobs()) == 5 < len(site.calls("qsub"))
    assert "qsub refused it (exit 38): qsub: would exceed queue generic's per-user limit" in printed


def test_qstat_that_fails_is_asked_again(site):
    site.workflow(TOUCH)
    site.set("sick", 3)
    status, printed = site.run()
    assert status == 0, printed
    assert (site.state / "sick").read_text() == "0"
    assert set(site.states().values()) == {"F/92/0"}


def test_job_that_pbs_no_longer_knows(site):
    """Three rounds in a row, then it has failed; the others go on."""
    site.workflow(TOUCH)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.jobs()) == 5)
    (site.state / "3.pbs1.json").unlink()
    site.wait_for(lambda: "PBS job 3.pbs1: PBS has not known it for 3 rounds" in site.printed.read_text())
    assert process.poll() is None
    told = [call for call in site.calls("qstat") if "3.pbs1" in call]
    assert len(told) >= 3


def test_without_a_project(site):
    site.workflow(TOUCH)
    status, printed = site.run(project=None)
    assert status == 1
    line = "no group or project pays for PBS jobs; type: export ABCI_GROUP=your-group, or give --pbs-project"
    assert printed.splitlines()[-1] == f"Error: {line}"
    assert site.calls("qsub") == []
    assert site.run("-n", project=None)[0] == 0


def test_site_where_nobody_pays(site):
    site.workflow(TOUCH)
    (site.folder / "profile").mkdir()
    (site.folder / "profile/config.yaml").write_text("pbs-project: none\n")
    status, printed = site.run("--profile", "profile", project=None)
    assert status == 1
    assert len(site.calls("qsub")) == 5 and all("-P" not in call for call in site.calls("qsub"))
    assert "qsub refused it (exit 32): qsub: group is not specified" in printed


def test_job_script_of_the_user_is_refused(site):
    site.workflow(TOUCH)
    (site.folder / "mine.sh").write_text("{exec_job}\n")
    status, printed = site.run("--jobscript", "mine.sh")
    assert status == 1
    assert printed.splitlines()[-1].startswith(
        "Error: --jobscript: --executor pbs has a job script of its own; give --pbs-p"
    )


def test_job_whose_qsub_got_no_reply_is_found_by_its_log(site):
    site.workflow(TOUCH)
    site.set("no_reply", "yes")
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.calls("qsub")) == len(site.jobs()) == 5


def test_without_pbs(site, tmp_path):
    site.workflow(TOUCH)
    site.environment["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    status, printed = site.run()
    assert status == 1
    assert "qsub, qstat, qdel: not found; --executor pbs runs where PBS's own commands are" in printed
