"""Train a promoted architecture on train and val together and test it once: final.safetensors, final.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("retrain_final", __doc__, argv)
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.retrain_final import retrain_final

    run_stage(retrain_final, job)


if __name__ == "__main__":
    script(main)
