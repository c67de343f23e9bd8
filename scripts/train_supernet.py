"""Train the supernet of a unit: supernet.safetensors, supernet.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("train_supernet", __doc__, argv)
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.train_supernet import train_supernet

    run_stage(train_supernet, job)


if __name__ == "__main__":
    script(main)
