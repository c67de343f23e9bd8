#!/usr/bin/env python3
"""Print running, success or failed for one PBS job; never fail, since that would stop the whole workflow."""

import re
import subprocess
import sys
import time

TRIES = 3  # a job just submitted, or a server that restarts, may be unknown for a moment


def main(job: str) -> str:
    """The state of a job; running as long as PBS gives no clear answer."""
    for _ in range(TRIES):
        attributes = ask(job)
        if attributes:
            return verdict(attributes)
        time.sleep(2)
    return "running" if attributes is None else "failed"


def ask(job: str) -> dict | None:
    """Attributes of a job; none of them if PBS does not know it, None if PBS did not answer."""
    try:
        asked = subprocess.run(["qstat", "-x", "-f", job], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode == 0:
        return dict(re.findall(r"^    (\w+) = (.*)$", asked.stdout, re.MULTILINE))
    return {} if "Unknown Job" in asked.stderr else None


def verdict(attributes: dict) -> str:
    """Exit_status alone does not tell: a job that was deleted while queued has none, a requeued one has an old one."""
    if attributes.get("job_state") not in ("F", "X", "M"):
        return "running"
    succeeded = attributes.get("Exit_status") == "0" and attributes.get("substate", "92") == "92"
    return "success" if succeeded else "failed"


if __name__ == "__main__":
    print(main(sys.argv[-1]))
