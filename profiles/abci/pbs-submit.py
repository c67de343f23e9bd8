#!/usr/bin/env python3
"""Submit one of Snakemake's job scripts to PBS and print nothing but the job's id."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

MARK = "# properties = "  # where Snakemake writes down what the job asks for


def main(script: Path) -> None:
    """Run qsub; its refusal is ours."""
    lines = script.read_text().splitlines()
    properties = json.loads(next(line for line in lines if line.startswith(MARK)).removeprefix(MARK))
    group = os.environ.get("ABCI_GROUP")
    if not group:
        sys.exit("error: ABCI.group: no group pays for this job; type: export ABCI_GROUP=your-group")
    name = job_name(properties)
    log = Path(".snakemake/pbs_logs").resolve() / f"{name}.{properties['jobid']}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    resources = properties["resources"]
    queue = resources.get("pbs_queue", "rt_HG" if resources.get("gpu") else "rt_HC")
    command = ["qsub", "-P", group, "-q", queue, "-l", "select=1", "-l", f"walltime={walltime(resources['runtime'])}"]
    # -r n: PBS must not restart a lost job behind Snakemake's back; -k oed: the log is written while the job runs.
    command += ["-N", name, "-r", "n", "-j", "oe", "-k", "oed", "-o", str(log), str(script)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        sys.exit(f"error: refused (exit {finished.returncode}): {' '.join(command)}")
    print(finished.stdout.split()[-1])


def job_name(properties: dict) -> str:
    """Rule and wildcards, in the characters and the length that PBS admits."""
    wildcards = properties.get("wildcards") or {}
    words = [properties.get("rule") or properties.get("groupid", "group"), *map(str, wildcards.values())]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", ".".join(words))[:60]


def walltime(minutes: float) -> str:
    """Minutes as h:mm:ss."""
    seconds = round(float(minutes) * 60)
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
