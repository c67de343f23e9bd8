"""Verdicts on jobs and reasons of failures, from output that an OpenPBS server printed."""

import pytest
from snakemake_executor_plugin_pbs.verdicts import Verdict, failure_reason, parse_qstat, parse_unknown_ids, verdict

ENDS = [  # job state, substate, exit status, comment, expected reason (a part of it) or None for success
    ("F", "92", "0", "Job run at Tue and finished", None),
    ("F", "93", "3", "Job run at Tue and failed", "exit status 3"),
    ("F", "93", "1", "Job run at Tue and failed", "exit status 1"),
    ("F", "93", "137", "Job run at Tue and failed", "signal 9 killed a command of the job script"),
    ("F", "93", "265", "Job run at Tue and failed", "signal 9 from outside killed the job"),
    ("F", "93", "-29", "Job run at Tue and exceeded resource walltime", "the job exceeded its walltime; raise runtime"),
    ("F", "91", "271", "Job run at Tue and terminated by user", "the job was deleted with qdel"),
    ("F", "91", "265", "Job run at Tue and terminated by user", "the job was deleted with qdel"),
    ("F", "91", "143", "Job run at Tue and terminated by user", "the job was deleted with qdel"),
    ("F", "91", None, "Not Running", "the job was deleted with qdel"),
    ("F", "92", None, "Not Running", "the job never started, because a job that it depends on failed"),
    ("F", "93", "-20", "", "the node was lost"),
    ("F", "91", "0", "", "the job was deleted with qdel"),
    ("F", "93", "-27", "", "used more memory than it requested; raise mem_mb"),
    ("F", "93", "-10", "", "the user does not exist on the node"),
    ("F", "93", "-8", "", "exit status -8"),
    ("M", "92", None, "", "PBS moved the job to another server"),
    ("X", "93", "3", "", "exit status 3"),
    (
        "F",
        "93",
        "271",
        "Job run at Tue and exceeded resource walltime",
        "the job exceeded its walltime; raise runtime",
    ),  # older PBS
]
NOT_ENDED = [
    ("Q", "10", None),
    ("R", "42", None),
    ("E", "51", "-29"),
    ("E", "51", "0"),
    ("Q", "10", "-20"),
    ("H", "20", None),
]
NOT_ENDED += [("W", "30", None), ("T", "0", None), ("S", "43", None), ("B", "1", None), ("U", "1", None)]


def attributes(state, substate, status, comment=""):
    """Return the attributes of a job; without a status there is no Exit_status."""
    job = {"job_state": state, "substate": substate, "comment": comment}
    return job | ({} if status is None else {"Exit_status": status})


@pytest.mark.parametrize(("state", "substate", "status", "comment", "reason"), ENDS)
def test_ended(state, substate, status, comment, reason):
    job = attributes(state, substate, status, comment)
    if reason is None:
        assert verdict(job) is Verdict.SUCCESS
    else:
        assert verdict(job) is Verdict.FAILED
        assert reason in failure_reason(job)


@pytest.mark.parametrize(("state", "substate", "status"), NOT_ENDED)
def test_a_job_with_an_exit_status_may_not_have_ended(state, substate, status):
    assert verdict(attributes(state, substate, status)) is Verdict.RUNNING


def test_a_job_without_attributes_has_not_ended():
    assert verdict({}) is Verdict.RUNNING


def test_older_servers_report_an_exceeded_walltime_only_in_the_log():
    job = attributes("F", "91", "271", "terminated")
    log = "epoch 3\n=>> PBS: job killed: walltime 13 exceeded limit 10\n"
    assert failure_reason(job, log) == "the job exceeded its walltime; raise runtime"
    assert failure_reason(job, "epoch 3\n") == "the job was deleted with qdel"


QSTAT = """Job Id: 1.vm
    Job_Name = sleep.sh
    job_state = F
    queue = rt_HG
    Variable_List = PBS_O_HOME=/home/u,PBS_O_PATH=/a/long/path/that/does/not/fit:/into/
\tone/line,PBS_O_WORKDIR=/work
    comment = Job run at Tue Nov 24 at 10:00 on (vm:ncpus=16:ngpus=1:mem=16777216
\t0kb) and exceeded resource walltime
    Resource_List.walltime = 00:00:10
    Exit_status = -29
    substate = 93

Job Id: 2[].vm
    job_state = B

"""


def test_output_of_qstat_with_continuation_lines():
    jobs = parse_qstat(QSTAT)
    assert list(jobs) == ["1.vm", "2[].vm"]
    assert jobs["1.vm"]["Variable_List"].endswith(":/into/one/line,PBS_O_WORKDIR=/work")
    assert jobs["1.vm"]["comment"].endswith("mem=167772160kb) and exceeded resource walltime")
    assert jobs["1.vm"]["Resource_List.walltime"] == "00:00:10"
    assert failure_reason(jobs["1.vm"]) == "the job exceeded its walltime; raise runtime"
    assert jobs["2[].vm"] == {"job_state": "B"}
    assert parse_qstat("") == parse_qstat("garbage\n = \n") == {}


def test_unknown_ids():
    errors = "qstat: Unknown Job Id 9999.vm\nqstat: Unknown Job Id 8.vm\nqstat: cannot connect to server vm\n"
    assert parse_unknown_ids(errors) == {"9999.vm", "8.vm"}
