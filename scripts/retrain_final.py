"""Train a promoted architecture on train and val together and test it once: final.safetensors, final.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    # The networks of `make baselines` have no trial, and so no result of one.
    job = parse("retrain_final", __doc__, argv, inputs=("architecture",), optional=("result", "test"))
    from nasmake.engine.attempt import run_stage
    from nasmake.stages.retrain_final import retrain_final

    run_stage(retrain_final, job)


if __name__ == "__main__":
    script(main)
