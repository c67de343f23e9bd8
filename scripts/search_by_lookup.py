"""Search a benchmark table many times by look-up of one supernet's scores: found.csv."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("search_by_lookup", __doc__, argv, inputs=("scores",), optional=())
    from nasmake.evidence.lookup import search_by_lookup

    search_by_lookup(job)


if __name__ == "__main__":
    script(main)
