"""Jobs of --executor pbs on a test server: arguments of qsub, environment of a job, reports of each end."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from test_pbs_verdicts import ENDS, attributes

ENVIRONMENT = """
rule all:
    input: "environment.txt"

rule show:
    output: "environment.txt"
    log: "logs/show.log"
    threads: 2
    resources: gpu=1, runtime=90
    shell: "(pwd; echo $PATH; echo braces {{1..3}} $MOOD) > {output}"
"""


def test_arguments_of_qsub_and_environment_of_a_job(site):
    site.workflow(ENVIRONMENT)
    site.umask = 0o022
    prologue = ('export MOOD="quite ${HOME:+well}"', "echo prologue of $PBS_JOBID")
    status, printed = site.run("--pbs-extra=-p 1", "--pbs-prologue", *prologue)
    assert status == 0, printed

    folder, path, braces = (site.folder / "environment.txt").read_text().splitlines()
    assert folder == str(site.folder)
    assert path.startswith(site.environment["PATH"].split(os.pathsep)[0])
    assert braces == "braces 1 2 3 quite well"
    (call,) = site.calls("qsub")
    options = dict(zip(call[:-1:2], call[1:-1:2], strict=True))
    log = Path(options.pop("-o"))
    assert options == {
        "-P": "grp",
        "-q": "rt_HG",
        "-l": "walltime=1:30:00",
        "-N": "show",
        "-r": "n",
        "-j": "oe",
        "-k": "oed",
        "-W": "umask=22",
        "-p": "1",
    }
    assert "select=1" in call
    assert f"Job 1: PBS job 1.pbs1 submitted, log {log}" in printed
    header, prologue_line = log.read_text().splitlines()[:2]
    assert header == f"PBS job 1.pbs1 on {os.uname().nodename}, queue rt_HG, CUDA_VISIBLE_DEVICES not set"
    assert prologue_line == "prologue of 1.pbs1"
    assert list((site.folder / ".snakemake/pbs_jobs").iterdir()) == []


def test_every_failure_is_reported_with_its_reason(site):
    cases = [case for case in ENDS if case[4]]
    for number, case in enumerate(cases):
        ends = [attributes("E", "51", None), attributes(*case[:4])]
        (site.state / "ends" / f"fails.{number}").write_text(json.dumps(ends))
    # PBS queues a job again after its node was lost: the job has an Exit_status although it has not ended.
    requeued = [attributes("Q", "10", "-20"), attributes("R", "42", None), attributes("F", "93", "-20")]
    (site.state / "ends" / f"fails.{len(cases)}").write_text(json.dumps(requeued))
    site.workflow(
        f"rule all:\n    input: expand('{{i}}.txt', i=range({len(cases) + 1}))\n"
        "rule fails:\n    output: '{i}.txt'\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run()
    assert status == 1
    names = {job_id: job["Job_Name"] for job_id, job in site.jobs().items()}
    for job_id, name in names.items():
        number = int(name.partition(".")[2])
        reason = cases[number][4] if number < len(cases) else "the node was lost"
        assert f"message: PBS job {job_id}: " in printed
        line = next(line for line in printed.splitlines() if f"PBS job {job_id}: " in line)
        assert reason in line
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


def test_ends_of_jobs_that_run_and_a_retry_with_more_walltime(site):
    site.workflow(REAL_ENDS)
    site.set("minute", 3)
    status, printed = site.run()
    assert status == 1
    states = [(job["Job_Name"], job["walltime"], site.states()[job_id]) for job_id, job in site.jobs().items()]
    assert sorted(states) == [
        ("bad", "1:00:00", "F/93/1"),
        ("good", "1:00:00", "F/92/0"),
        ("killed", "1:00:00", "F/93/265"),
        ("long", "0:01:00", "F/93/-29"),
        ("long", "1:30:00", "F/92/0"),
    ]
    (job,) = [job_id for job_id, state in site.states().items() if state == "F/93/-29"]
    assert re.search(
        rf"^Job \d \(long\), attempt 1 of 2: PBS job {job}: the job exceeded its walltime; raise runtime$",
        printed,
        re.M,
    )
    ids = {job["Job_Name"]: job_id for job_id, job in site.jobs().items()}
    reasons = {line for line in printed.splitlines() if line.startswith(("bad: ", "killed: ", "long: "))}
    assert reasons == {  # no reason for a job whose retry succeeded
        f"bad: PBS job {ids['bad']}: exit status 1",
        f"killed: PBS job {ids['killed']}: signal 9 from outside killed the job (exit status 265)",
    }
    assert (site.folder / "long.txt").exists()
    logs = [call[call.index("-o") + 1] for call in site.calls("qsub") if "long" in call]
    assert len(set(logs)) == 2


def test_a_refused_job_fails_with_the_message_of_pbs(site):
    site.workflow(
        "rule all:\n    input: 'queue.txt', 'long.txt', 'big.txt'\n"
        "rule queue:\n    output: 'queue.txt'\n    resources: pbs_queue='rt_XX'\n    shell: 'touch {output}'\n"
        "rule long:\n    output: 'long.txt'\n    resources: runtime=12000\n    shell: 'touch {output}'\n"
        "rule big:\n    output: 'big.txt'\n    resources: gpu=2\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run()
    assert status == 1
    assert "qsub refused the job (exit status 170): qsub: Unknown queue" in printed
    assert "qsub refused the job (exit status 188): qsub: Job violates queue and/or server resource limits" in printed
    expected = "expected a request that fits one of the queues; request less or set pbs_queue"
    assert f"--pbs-shapes: request per node is gpu=2 threads=1 mem_mb=1000; {expected}" in printed
    site.workflow(
        "rule all:\n    input: '0.txt', '1.txt'\n"
        "rule touch:\n    output: '{i}.txt'\n    group: 'pair'\n    resources: gpu=1\n    shell: 'touch {output}'\n"
    )
    status, printed = site.run("--group-components", "pair=2")
    assert status == 1
    assert "(pair_touch): not submitted: --pbs-shapes: request per node is gpu=2 threads=2" in printed
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
    (job,) = site.jobs().values()
    assert job["queue"] == "R1234" and job["Variable_List"].endswith(",RTYPE=rt_HC")


def test_jobs_above_the_limit_of_a_user_wait(site):
    site.workflow(TOUCH)
    site.set("limit", 2)
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.jobs()) == 5 < len(site.calls("qsub"))
    refusal = "qsub refused the job (exit status 38): qsub: would exceed queue generic's per-user limit"
    assert printed.count(f"later jobs for queue rt_HC wait: {refusal}") == 1
    assert printed.count("qsub accepts jobs again; no job of queue rt_HC waits to be submitted") == 1


def test_a_failed_qstat_is_called_again(site):
    site.workflow(TOUCH)
    site.set("qstat_failures", 3)
    status, printed = site.run()
    assert status == 0, printed
    assert (site.state / "qstat_failures").read_text() == "0"
    failure = "qstat fails, and jobs go on (qstat: cannot connect to server pbs1 (errno=15010)); it is called again"
    assert printed.count(failure) == printed.count("qstat answers again") == 1
    assert set(site.states().values()) == {"F/92/0"}


def test_a_job_unknown_to_pbs_in_three_rounds_has_failed(site):
    site.workflow(TOUCH)
    site.set("hold", "yes")
    process = site.start()
    site.wait_for(lambda: len(site.jobs()) == 5)
    (site.state / "3.pbs1.json").unlink()
    site.wait_for(
        lambda: "PBS job 3.pbs1: PBS did not know the job in 3 consecutive status rounds" in site.printed.read_text()
    )
    assert process.poll() is None
    queries = [call for call in site.calls("qstat") if "3.pbs1" in call]
    assert len(queries) >= 3


def test_without_a_project(site):
    site.workflow(TOUCH)
    status, printed = site.run(project=None)
    assert status == 1
    assert printed.splitlines()[-1] == (
        "Error: --pbs-project: no project pays for PBS jobs; expected a project, or none at a site without charges; "
        "type: export SNAKEMAKE_PBS_PROJECT=your-project, or give --pbs-project"
    )
    assert site.calls("qsub") == []
    assert site.run("-n", project=None)[0] == 0
    status, printed = site.run(project="$PAYS_FOR_IT")
    assert printed.splitlines()[-1] == (
        "Error: --pbs-project is $PAYS_FOR_IT: the environment variable PAYS_FOR_IT is not set; expected the project "
        "that pays for PBS jobs; type: export PAYS_FOR_IT=your-project, or give --pbs-project"
    )
    assert status == 1 and site.calls("qsub") == []


@pytest.mark.parametrize("project", [None, "$PAYS_FOR_IT"])
def test_project_of_the_environment(site, project):
    """The workflow's own files may set the variable that --pbs-project names."""
    site.workflow("import os\nos.environ['PAYS_FOR_IT'] = 'theirs'\n" + TOUCH.replace("range(5)", "range(1)"))
    site.environment["SNAKEMAKE_PBS_PROJECT"] = "theirs"
    assert site.run(project=project)[0] == 0
    (call,) = site.calls("qsub")
    assert call[call.index("-P") + 1] == "theirs"


def test_site_without_charges(site):
    site.workflow(TOUCH)
    (site.folder / "profile").mkdir()
    (site.folder / "profile/config.yaml").write_text("pbs-project: none\n")
    status, printed = site.run("--profile", "profile", project=None)
    assert status == 1
    assert len(site.calls("qsub")) == 5 and all("-P" not in call for call in site.calls("qsub"))
    assert printed.count("qsub refused the job (exit status 32): qsub: group is not specified.") == 1


def test_jobscript_option_is_refused(site):
    site.workflow(TOUCH)
    (site.folder / "mine.sh").write_text("{exec_job}\n")
    status, printed = site.run("--jobscript", "mine.sh")
    assert status == 1
    message = "--jobscript: --executor pbs does not accept a job script; use --pbs-prologue instead"
    assert printed.splitlines()[-1] == f"Error: {message}"


def test_job_is_identified_by_its_log_if_qsub_got_no_reply(site):
    site.workflow(TOUCH)
    site.set("qsub_no_reply", "yes")
    status, printed = site.run()
    assert status == 0, printed
    assert len(site.calls("qsub")) == len(site.jobs()) == 5


def test_without_the_pbs_commands(site):
    site.workflow(TOUCH)
    site.environment["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    status, printed = site.run()
    assert status == 1
    assert "PATH: qsub, qstat, qdel not found; run --executor pbs on a host with the PBS commands" in printed
