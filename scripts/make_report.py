"""Read the files of a finished run, and write them as one offline page: results/<run>/report.html."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configfiles", type=Path, nargs="*", help="the files given to Snakemake after --configfile")
    arguments = parser.parse_args(argv)
    run = run_folder(arguments.configfiles)
    report = run / "report.html"
    command = ["snakemake", "--report", str(report)]
    command += ["--configfile", *map(str, arguments.configfiles)] if arguments.configfiles else []
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["nothing"]
        cause = [line for line in lines if "marked for report but does not exist" in line] or lines
        raise InputError(f"{report}: not written; has the run ended? Snakemake says: {cause[-1].strip()}")
    print(f"report: {report}")


def run_folder(configfiles: Sequence[Path]) -> Path:
    """Return the folder of the run that these files configure. They override the defaults, as in Snakemake."""
    merged: dict[str, object] = {}
    for path in (Path("config/config.yaml"), *configfiles):
        try:
            content = yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
        if not isinstance(content, dict):
            raise InputError(f"{path}: content is no mapping; expected the sections of a configuration")
        merged = _merged(merged, content)
    config = load(merged)
    return config.run_folder


def _merged(base: object, over: object) -> dict[str, object]:
    assert isinstance(base, dict) and isinstance(over, dict)
    both = {key: _merged(base[key], over[key]) for key in base.keys() & over.keys() if isinstance(over[key], dict)}
    return base | over | both


if __name__ == "__main__":
    script(main, sys.argv[1:])
