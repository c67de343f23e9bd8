"""Refusals of qsub: the table of exit statuses, final refusals, and queues that accept no jobs for a while."""

import re
from collections import Counter

import pytest
from snakemake_executor_plugin_pbs.refusals import (
    ERRORS,
    FIRST_ERROR,
    LAST_ERROR,
    Refusal,
    error_number,
    message,
    refusal,
)

WAIT, FINAL, FAULT = Refusal.WAIT, Refusal.FINAL, Refusal.FAULT


@pytest.mark.parametrize(
    ("status", "name", "verdict"),
    [
        (13, "CONNFULL", WAIT),
        (32, "HOOKERROR", FINAL),
        (38, "ENTLIMCT", WAIT),
        (39, "ENTLIMRESC", WAIT),
        (57, "SAVE_ERR", FAULT),
        (69, "JOBNBIG", FINAL),
        (104, "TRYAGAIN", WAIT),
        (159, "PERM", FINAL),
        (162, "SYSTEM", FAULT),
        (166, "BADATVAL", FINAL),
        (170, "UNKQUE", FINAL),
        (171, "BADCRED", FINAL),
        (173, "QUNOENB", WAIT),
        (174, "QACESS", FINAL),
        (175, "BADUSER", FINAL),
        (187, "UNKRESC", FINAL),
        (188, "EXCQRESC", FINAL),
        (196, "RESCUNAV", WAIT),
        (198, "MAXQUED", WAIT),
        (201, "BADACCT", FINAL),
        (206, "BADDEPEND", FINAL),
        (212, "SVRDOWN", WAIT),
    ],
)
def test_exit_statuses_of_qsub(status, name, verdict):
    assert ERRORS[error_number(status)] == (name, verdict)
    assert refusal(status, "qsub: text") is verdict


def test_table_of_errors():
    """The ends of runs of consecutive numbers are where a missing name would show."""
    ends = {15016: "BADSTATE", 15043: "STAGEIN", 15069: "GMODERR", 15097: "IBMSPSWITCH", 15113: "INDIRECTBT"}
    ends |= {15141: "MIXENTLIMS", 15149: "NODE_BAD_CURRENT_AOE", 15159: "NOHISTARRAYSUBJOB", 15183: "SELECT_NOT_SUBSET"}
    ends |= {15204: "RMEXIST", LAST_ERROR: "HISTDEPEND"}
    assert {number: ERRORS[number][0] for number in ends} == ends
    assert min(ERRORS) == FIRST_ERROR + 1 and max(ERRORS) == LAST_ERROR
    assert {number for number in ERRORS if error_number(number % 256) != number} == set()
    assert Counter(name for name, _ in ERRORS.values()).most_common(1)[0][1] == 1


def test_statuses_of_no_pbs_error():
    assert refusal(1, "qsub: script file:: No such file or directory") is refusal(2, "qsub: illegal -N value") is FINAL
    assert refusal(255, "qsub: cannot connect to server pbs1 (errno=15010)") is WAIT
    assert refusal(255, "") is refusal(-1, "no answer") is FAULT


def test_message_has_no_usage_text():
    assert message("qsub: illegal -o value\nusage: qsub [-a date_time]\n\t[-C prefix]\n") == "qsub: illegal -o value"
    assert message("qsub: group is not\n specified.\n") == "qsub: group is not specified."


STUDY = """
rule all:
    input: expand("{i}.txt", i=range(4)), "queue.txt"
rule touch:
    output: "{i}.txt"
    retries: 2
    resources: gpu=RESOURCE
    shell: "touch {output}"
rule queue:
    output: "queue.txt"
    retries: 2
    resources: pbs_queue="QUEUE"
    shell: "touch {output}"
"""


def test_final_refusals_are_one_line_per_kind_and_are_not_tried_again(site):
    site.set("group", "grp")
    site.workflow(STUDY.replace("RESOURCE", "0").replace("QUEUE", "rt_HC"))
    status, printed = site.run(project="wrong")
    line = "qsub refused the job (exit status 32): qsub: group wrong is not available for you."
    assert status == 1
    assert len(re.findall(rf"^Job \d \(\S+\): {re.escape(line)}$", printed, re.MULTILINE)) == printed.count(line) == 1
    assert len(site.calls("qsub")) == 5  # one attempt per job
    assert "Trying to restart" not in printed and "Error in rule" not in printed and "usage" not in printed


def test_refusals_among_jobs_that_run_are_told_again_at_the_end(site):
    site.workflow(
        STUDY.replace("RESOURCE", "0, runtime=lambda w: 60 if w.i == '0' else 12000").replace("QUEUE", "rt_X")
    )
    status, printed = site.run()
    assert status == 1 and len(site.calls("qsub")) == 5
    unknown = "qsub refused the job (exit status 170): qsub: Unknown queue"
    assert f"\nJob 5 (queue): {unknown}\n" in printed and f"\nqueue: {unknown}\n" in printed
    limit = "qsub refused the job (exit status 188): qsub: Job violates queue and/or server resource limits"
    assert re.search(rf"^Job \d \(touch.\d\): {re.escape(limit)}$", printed, re.MULTILINE)
    assert re.search(rf"^touch.\d, touch.\d, touch.\d: {re.escape(limit)}$", printed, re.MULTILINE)
    assert printed.count(limit) == 2


@pytest.mark.parametrize(
    ("setting", "value", "refused"),
    [
        ("disabled", "rt_HC", "qsub refused the job (exit status 173): qsub: Queue is not enabled"),
        (
            "shutting_down",
            "yes",
            "qsub refused the job (exit status 212): qsub: Request not allowed: Server shutting down",
        ),
        (
            "unreachable",
            "yes",
            "qsub refused the job (exit status 255): qsub: cannot connect to server pbs1 (errno=15010)",
        ),
    ],
)
def test_queue_that_accepts_no_jobs_for_a_while(site, setting, value, refused):
    site.set(setting, value)
    site.workflow(STUDY.replace("RESOURCE", "0").replace("QUEUE", "rt_HC"))
    process = site.start()
    site.wait_for(lambda: len(site.calls("qsub")) >= 3)  # asked again in each round, with one job
    (site.state / setting).unlink()
    assert process.wait(timeout=180) == 0, site.printed.read_text()
    printed = site.printed.read_text()
    assert printed.count(f"later jobs for queue rt_HC wait: {refused}") == printed.count("exit status") == 1
    assert printed.count("qsub accepts jobs again; no job of queue rt_HC waits to be submitted") == 1
