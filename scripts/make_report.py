"""Read the files of a finished run, and write them as one offline page: results/<run>/report.html."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.configfiles import configuration_of
from nasmake.core.errors import InputError
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configfiles", type=Path, nargs="*", help="the files given to Snakemake after --configfile")
    arguments = parser.parse_args(argv)
    run = configuration_of(arguments.configfiles).run_folder
    report = run / "report.html"
    command = ["snakemake", "--report", str(report)]
    command += ["--configfile", *map(str, arguments.configfiles)] if arguments.configfiles else []
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["nothing"]
        cause = [line for line in lines if "marked for report but does not exist" in line] or lines
        raise InputError(f"{report}: not written; has the run ended? Snakemake says: {cause[-1].strip()}")
    print(f"report: {report}")


if __name__ == "__main__":
    script(main, sys.argv[1:])
