"""Give up a trial that has no result: write results with the state FAIL, so that the study goes on without it."""

import argparse
from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.given_up import add_run, give_up, plan_named_by


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", type=int, help="number of the trial")
    parser.add_argument("--why", required=True, help="the reason, for the tables of the study")
    add_run(parser)
    arguments = parser.parse_args(argv)
    plan = plan_named_by(arguments)
    stages = give_up(plan, arguments.trial, arguments.why)
    print(f"trial {arguments.trial} is given up ({', '.join(stages)}); start snakemake again as before")


if __name__ == "__main__":
    script(main)
