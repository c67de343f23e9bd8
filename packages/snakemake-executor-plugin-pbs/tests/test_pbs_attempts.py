"""Attempts of a job: counted by one Snakemake only, and each failure is told with its reason in the last line."""

import re

FAILS = """
rule all:
    input: "never.txt", "second.txt"
rule never:
    output: "never.txt"
    retries: 2
    shell: "echo x >> never.attempts; exit 1"
rule second:
    output: "second.txt"
    retries: 2
    shell: "echo x >> second.attempts; test $(wc -l < second.attempts) = 2 && touch {output}"
"""


def attempts(site, rule):
    return len((site.folder / f"{rule}.attempts").read_text().split())


def test_the_snakemake_within_a_job_does_not_retry(site):
    site.workflow(FAILS)
    status, printed = site.run()
    assert status == 1
    assert attempts(site, "never") == 3 and attempts(site, "second") == 2
    lines = re.findall(r"^Job \d \((\w+)\), (attempt \d of 3): PBS job \d\.pbs1: exit status 1$", printed, re.MULTILINE)
    assert sorted(lines) == [
        ("never", "attempt 1 of 3"),
        ("never", "attempt 2 of 3"),
        ("never", "attempt 3 of 3"),
        ("second", "attempt 1 of 3"),
    ]


LONG = """
rule long:
    output: "long.txt"
    log: "long.log"
    resources: runtime=0.5
    shell: "(for i in $(seq 300); do echo epoch $i; done; sleep 60; touch {output}) > {log} 2>&1"
"""


def test_reason_of_an_exceeded_walltime_is_the_last_line_below_the_log(site):
    """Half a minute is rounded up to one."""
    site.workflow(LONG)
    site.set("minute", 6)
    status, printed = site.run("--show-failed-logs")
    assert status == 1
    (job,) = site.jobs().values()
    assert job["walltime"] == "0:01:00"
    reason = "PBS job 1.pbs1: the job exceeded its walltime; raise runtime"
    below = printed[printed.rindex("epoch 300") :].splitlines()
    assert f"Job 0 (long), attempt 1 of 1: {reason}" in below
    assert f"long: {reason}" in below
