"""Read the folder of a finished run, and write its figures to <run>/report/."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.study import Optimize
from nasmake.core.files import read_json, write_atomically
from nasmake.jobs.cli import script
from nasmake.report.results import read_study_results


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="section `optimize` as JSON")
    parser.add_argument("--trials", required=True, type=int, help="number of trials")
    parser.add_argument("--stages", required=True, nargs="+", help="stages of a trial, in order")
    parser.add_argument("--manifest", required=True, type=Path, help="the run's file with the facts about the data set")
    parser.add_argument("--run", required=True, type=Path, help="folder of the finished run")
    arguments = parser.parse_args(argv)
    from nasmake.report.study_figures import architecture, figures_of
    from nasmake.report.style import svg
    from nasmake.study.journal import silence_optuna

    silence_optuna()
    optimize = Optimize.from_json_text(arguments.study, "--study")
    optimize = optimize.model_copy(update={"trial_number": arguments.trials})
    results = read_study_results(arguments.run, optimize, arguments.stages)
    height, _, channels = read_json(arguments.manifest)["image_shape"]
    out = arguments.run / "report"
    for name, draw in figures_of(results).items():
        write_atomically(out / f"{name}.svg", svg(draw, results))
    write_atomically(out / "architecture.svg", svg(architecture, results, channels, height))


if __name__ == "__main__":
    script(main)
