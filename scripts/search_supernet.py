"""Train the supernet and search it at the same time: supernet.safetensors, supernet.json, architecture.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("search_supernet", __doc__, argv)
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.search_supernet import search_supernet

    run_stage(search_supernet, job)


if __name__ == "__main__":
    script(main)
