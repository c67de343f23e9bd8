"""What PBS says of a job, and what is made of it: the transcripts of an OpenPBS server."""

import pytest
from snakemake_executor_plugin_pbs.verdicts import Verdict, read_qstat, read_unknown, reason, verdict

ENDS = [  # state, substate, exit status, comment, reason or a part of it; None for success
    ("F", "92", "0", "Job run at Tue and finished", None),
    ("F", "93", "3", "Job run at Tue and failed", "exit status 3"),
    ("F", "93", "1", "Job run at Tue and failed", "exit status 1"),
    ("F", "93", "137", "Job run at Tue and failed", "its script was killed by signal 9"),
    ("F", "93", "265", "Job run at Tue and failed", "killed from outside by signal 9"),
    ("F", "93", "-29", "Job run at Tue and exceeded resource walltime", "walltime exceeded: raise runtime"),
    ("F", "91", "271", "Job run at Tue and terminated by user", "deleted by qdel"),
    ("F", "91", "265", "Job run at Tue and terminated by user", "deleted by qdel"),
    ("F", "91", None, "Not Running", "deleted by qdel"),
    ("F", "92", None, "Not Running", "never started: a job that it depends on failed"),
    ("F", "93", "-20", "", "its node was lost"),
    ("F", "91", "0", "", "deleted by qdel"),
    ("F", "93", "-27", "", "more memory than it had asked for: raise mem_mb"),
    ("F", "93", "-10", "", "the user is not known on the node"),
    ("F", "93", "-8", "", "exit status -8"),
    ("M", "92", None, "", "PBS moved it to another server"),
    ("X", "93", "3", "", "exit status 3"),
    (
        "F",
        "93",
        "271",
        "Job run at Tue and exceeded resource walltime",
        "walltime exceeded: raise runtime",
    ),  # older PBS
]
ALIVE = [
    ("Q", "10", None),
    ("R", "42", None),
    ("E", "51", "-29"),
    ("E", "51", "0"),
    ("Q", "10", "-20"),
    ("H", "20", None),
]
ALIVE += [("W", "30", None), ("T", "0", None), ("S", "43", None), ("B", "1", None), ("U", "1", None)]


def attributes(state, substate, status, comment=""):
    said = {"job_state": state, "substate": substate, "comment": comment}
    return said | ({} if status is None else {"Exit_status": status})


@pytest.mark.parametrize(("state", "substate", "status", "comment", "why"), ENDS)
def test_ended(state, substate, status, comment, why):
    job = attributes(state, substate, status, comment)
    if why is None:
        assert verdict(job) is Verdict.SUCCESS
    else:
        assert verdict(job) is Verdict.FAILED
        assert why in reason(job)


@pytest.mark.parametrize(("state", "substate", "status"), ALIVE)
def test_not_ended_whatever_the_exit_status_says(state, substate, status):
    assert verdict(attributes(state, substate, status)) is Verdict.RUNNING


def test_nothing_told_is_no_end():
    assert verdict({}) is Verdict.RUNNING


def test_walltime_of_older_servers_stands_in_the_log():
    job = attributes("F", "91", "271", "terminated")
    log = "epoch 3\n=>> PBS: job killed: walltime 13 exceeded limit 10\n"
    assert reason(job, log) == "walltime exceeded: raise runtime"
    assert reason(job, "epoch 3\n") == "deleted by qdel"


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


def test_text_of_qstat_with_wrapped_lines():
    jobs = read_qstat(QSTAT)
    assert list(jobs) == ["1.vm", "2[].vm"]
    assert jobs["1.vm"]["Variable_List"].endswith(":/into/one/line,PBS_O_WORKDIR=/work")
    assert jobs["1.vm"]["comment"].endswith("mem=167772160kb) and exceeded resource walltime")
    assert jobs["1.vm"]["Resource_List.walltime"] == "00:00:10"
    assert reason(jobs["1.vm"]) == "walltime exceeded: raise runtime"
    assert jobs["2[].vm"] == {"job_state": "B"}
    assert read_qstat("") == read_qstat("garbage\n = \n") == {}


def test_unknown_ids():
    said = "qstat: Unknown Job Id 9999.vm\nqstat: Unknown Job Id 8.vm\nqstat: cannot connect to server vm\n"
    assert read_unknown(said) == {"9999.vm", "8.vm"}
