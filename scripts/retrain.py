"""Train the found architecture from scratch on train and score it on val: model.safetensors, result.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("retrain", __doc__, argv)
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.retrain import retrain

    run_stage(retrain, job)


if __name__ == "__main__":
    script(main)
