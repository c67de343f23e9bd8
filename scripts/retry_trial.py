"""Take back the state FAIL of a trial: remove these results, so that Snakemake computes them again."""

import argparse
from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.given_up import add_run, plan_named_by, retry


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", type=int, help="number of the trial")
    add_run(parser)
    arguments = parser.parse_args(argv)
    plan = plan_named_by(arguments)
    stages = retry(plan, arguments.trial)
    print(f"trial {arguments.trial} will be tried again ({', '.join(stages)}); start snakemake again as before")


if __name__ == "__main__":
    script(main)
