"""Measure the latency of every piece of the search space on the training device: latency.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("measure_latency", __doc__, argv)
    from nasmake.stages.measure_latency import measure_latency

    measure_latency(job)


if __name__ == "__main__":
    script(main)
