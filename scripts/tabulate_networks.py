"""Train the networks of one part of a benchmark table from scratch with one seed: trained.csv."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("tabulate_networks", __doc__, argv, inputs=("networks",), optional=())
    from nasmake.evidence.tabulation import tabulate_networks

    tabulate_networks(job)


if __name__ == "__main__":
    script(main)
