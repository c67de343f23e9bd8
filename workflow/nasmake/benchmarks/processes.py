"""CPU time, memory and printed bytes of fresh processes: dry runs by number of trials, and start-up.

The processes run in the current folder, the checkout, with a run name that has no results. This module imports
nothing of nasmake in its own process.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

PARSED = "nasmake.pipeline.controller, nasmake.pipeline.checks, nasmake.pipeline.inputs, nasmake.pipeline.warnings"
IMPORTS = {  # modules that each script has loaded when its work begins
    "download_dataset": "nasmake.data.prepared, nasmake.data.preparing.digits",
    "suggest": "nasmake.study.suggest",
    "train_supernet": "nasmake.stages.train_supernet",
    "measure_latency": "nasmake.stages.measure_latency",
    "search_architecture": "nasmake.stages.search_architecture",
    "import_architecture": "nasmake.jobs.job, nasmake.costs.table",
    "retrain, retrain_final": "nasmake.stages.retrain",
    "promote": "nasmake.jobs.job, nasmake.report.summary",
    "summarize_study": "nasmake.study.suggest, nasmake.report.summary",
    "report": "nasmake.report.study_figures, nasmake.study.suggest",
    "describe_architecture": "nasmake.costs.describe",
}
# A small process starts the measured one, because on Linux the peak memory of a process includes that of its parent.
MEASURED = """
import json, resource, subprocess, sys
finished = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mib": peak, "bytes": len(finished.stdout)}))
"""


def dry_runs(numbers: Sequence[int]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the costs of a dry run of config/config.yaml for each number of trials."""
    for trials in numbers:
        study = ["--config", "run=bench", f"optimize={{trial_number: {trials}}}"]
        yield f"{trials} trials", _costs("snakemake", "-n", "--nolock", *study)


def startup(repeats: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the CPU seconds of each start-up, the smallest of `repeats`, and their ratio to bare Python.

    A run before these warms the caches.
    """
    codes = {"python, nothing imported": "pass", "what the Snakefile imports": f"import {PARSED}"}
    codes |= {f"imports of {name}": f"import {modules}" for name, modules in IMPORTS.items()}
    bare = 0.0
    for name, code in codes.items():
        runs = [_costs(sys.executable, "-c", code)["cpu_seconds"] for _ in range(repeats + 1)]
        seconds = min(runs[1:])
        bare = bare or seconds
        yield name, {"cpu_seconds": seconds, "times_bare_python": seconds / bare}


def _costs(*command: str) -> dict[str, float]:
    """Return CPU seconds, peak memory in MiB and printed bytes of a command and its children."""
    finished = subprocess.run([sys.executable, "-c", MEASURED, *command], check=True, capture_output=True, text=True)
    costs: dict[str, float] = json.loads(finished.stdout)
    return costs
