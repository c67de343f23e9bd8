"""Start-up times: the imports of the Snakefile, a dry run, and the imports of each stage.

Every measurement is the wall time of a fresh process. This module imports nothing of nasmake in its own process.
"""

import statistics
import subprocess
import sys
import time

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


def startup_seconds(repeats: int = 7) -> dict[str, dict[str, float]]:
    """Return median and quartiles of each start-up time in seconds, and the ratio of the median to bare Python.

    Args:
        repeats: timed runs of each command, after one run that warms the caches.
    """
    python = [sys.executable, "-c"]
    commands = {
        "python, nothing imported": [*python, "pass"],
        "what the Snakefile imports": [*python, f"import {PARSED}"],
        "snakemake -n of config/config.yaml": ["snakemake", "-n", "--quiet", "all"],
    } | {f"imports of {name}": [*python, f"import {module}"] for name, module in IMPORTS.items()}
    seconds = {name: _measure(command, repeats) for name, command in commands.items()}
    bare = seconds["python, nothing imported"]["median"]
    return {name: measured | {"times_bare_python": measured["median"] / bare} for name, measured in seconds.items()}


def _measure(command: list[str], repeats: int) -> dict[str, float]:
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    low, median, high = statistics.quantiles(times[1:], n=4)
    return {"median": median, "low": low, "high": high}
