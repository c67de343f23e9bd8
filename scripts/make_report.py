"""Read what a run has on disk, and write it as one offline page, results/<run>/report.html, also while a study runs.

If the study has ended, Snakemake's own report, with rules and run times, is written to workflow_report.html beside it.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.configfiles import configuration_of
from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script

RESULTS = Path("results")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    named = parser.add_mutually_exclusive_group()
    named.add_argument("configfiles", type=Path, nargs="*", default=[], help="the files given to Snakemake")
    named.add_argument("--run", type=Path, help="name or folder of the run, such as digits or results/digits")
    arguments = parser.parse_args(argv)
    run = _folder(arguments.run) if arguments.run else configuration_of(arguments.configfiles).run_folder
    from nasmake.report.page import report_page
    from nasmake.study.journal import silence_optuna

    silence_optuna()
    report = run / "report.html"
    write_atomically(report, report_page(run).encode())
    print(f"report: {report}")
    if (run / "report" / "study.svg").is_file():
        _write_report_of_snakemake(run)


def _folder(run: Path) -> Path:
    """Return the folder of a run that is given by its folder or its name."""
    return run if run.is_dir() else RESULTS / run


def _write_report_of_snakemake(run: Path) -> None:
    """Write Snakemake's report of a run whose figures are there; a study that was extended since has none yet."""
    report = run / "workflow_report.html"
    command = ["snakemake", "--report", str(report), "--configfile", str(run / "config.yaml")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode == 0:
        print(f"workflow: {report}")
        return
    lines = finished.stderr.strip().splitlines() or ["nothing"]
    print(f"workflow: {report} is not written; Snakemake says: {lines[-1].strip()}")


if __name__ == "__main__":
    script(main, sys.argv[1:])
