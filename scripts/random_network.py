"""Draw a random network with the MACs of the network that a search found: architecture.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("random_network", __doc__, argv, inputs=("found",), optional=())
    from nasmake.evidence.random_network import random_network

    random_network(job)


if __name__ == "__main__":
    script(main)
