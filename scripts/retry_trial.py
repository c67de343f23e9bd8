"""Take back the state FAIL of a trial: remove these results, so that Snakemake computes them again."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.configfiles import configuration_of
from nasmake.jobs.cli import script
from nasmake.jobs.given_up import plan_of, retry


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", type=int, help="number of the trial")
    run = parser.add_mutually_exclusive_group()
    run.add_argument("--configfile", type=Path, nargs="+", default=[], help="the files given to Snakemake")
    run.add_argument("--run", type=Path, help="folder of the run, such as results/demo")
    arguments = parser.parse_args(argv)
    plan = plan_of(arguments.run or configuration_of(arguments.configfile).run_folder)
    stages = retry(plan, arguments.trial)
    print(f"trial {arguments.trial} will be tried again ({', '.join(stages)}); start snakemake again as before")


if __name__ == "__main__":
    script(main)
