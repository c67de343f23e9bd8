"""Search the best architecture of a supernet: architecture.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("search_architecture", __doc__, argv)
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.search_architecture import search_architecture

    run_stage(search_architecture, job)


if __name__ == "__main__":
    script(main)
