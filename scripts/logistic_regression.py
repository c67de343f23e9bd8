"""Fit a linear model to all training images, and test it once: logistic_regression.json."""

from collections.abc import Sequence

from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("logistic_regression", __doc__, argv, inputs=(), optional=("test",))
    from nasmake.evidence.measurements import fit_linear_model

    fit_linear_model(job)


if __name__ == "__main__":
    script(main)
