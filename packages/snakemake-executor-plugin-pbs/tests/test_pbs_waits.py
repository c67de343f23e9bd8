"""Waits print one line when they begin and one when they end."""

from snakemake_executor_plugin_pbs.waits import Waits


def test_first_and_last_job_print_a_line():
    lines = []
    waits = Waits(lines.append)
    waits.end("queue", 1, "ended without a wait")
    for job in (1, 1):
        waits.begin("queue", job, f"job {job} begins")
    waits.join("queue", 2)
    waits.begin("node", 1, "another reason")
    waits.end("queue", 1, "job 1 ends")
    waits.end("queue", 3, "a job that does not wait")
    assert lines == ["job 1 begins", "another reason"]
    waits.end("queue", 2, "job 2 ends")
    waits.begin("queue", 2, "once more")
    assert lines[2:] == ["job 2 ends", "once more"]
