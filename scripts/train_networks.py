"""Train a list of networks from scratch with one seed, and test them at the end: trained.csv."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("train_networks", __doc__, argv, inputs=("networks",), optional=())
    from nasmake.evidence.measurements import train_networks

    train_networks(job)


if __name__ == "__main__":
    script(main)
