"""Print how far a run is: jobs by stage, epochs and time left of the stages under way, the best trial, what failed."""

import argparse
from collections.abc import Sequence

from nasmake.config.configfiles import configuration_of
from nasmake.jobs.cli import script
from nasmake.jobs.given_up import add_run


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_run(parser)
    arguments = parser.parse_args(argv)
    from nasmake.report.status import status

    print(*status(arguments.run or configuration_of(arguments.configfile).run_folder), sep="\n")


if __name__ == "__main__":
    script(main)
