"""Score the networks of a benchmark table with the inherited weights of one supernet: scores.csv."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("score_networks", __doc__, argv, inputs=("table", "supernet", "record"), optional=())
    from nasmake.evidence.measurements import score_networks

    score_networks(job)


if __name__ == "__main__":
    script(main)
