"""The cost of a plan by number of trials: CPU time, memory and printed bytes of `snakemake -n`.

Every measurement is a fresh process in the current folder, the checkout, with a run name that has no results. This
module imports nothing of nasmake in its own process.
"""

import json
import subprocess
import sys

TRIALS = (15, 100, 300, 1000)
# A small process starts the measured one, because on Linux the peak memory of a process includes that of its parent.
MEASURED = """
import json, resource, subprocess, sys
finished = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mib": peak, "bytes": len(finished.stdout)}))
"""


def plan_costs() -> dict[str, dict[str, float]]:
    """Return CPU seconds, peak memory in MiB and printed bytes of a dry run of config/config.yaml, by trials."""
    return {f"{trials} trials": _dry_run(trials) for trials in TRIALS}


def _dry_run(trials: int) -> dict[str, float]:
    study = ["--config", "run=bench-scale", f"optimize={{trial_number: {trials}}}"]
    command = [sys.executable, "-c", MEASURED, "snakemake", "-n", "--nolock", *study]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    costs: dict[str, float] = json.loads(finished.stdout)
    return costs
