"""Compare runs: accuracies with intervals, parameters, MACs and seconds, and the settings that differ.

The first argument is the run with which the others are compared. A run that is unfinished or damaged has one line.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run, such as results/digits")
    parser.add_argument("--output", type=Path, metavar="FILE.svg", help="also draw the comparison")
    arguments = parser.parse_args(argv)
    from nasmake.report.compare import comparison, figure_of, read_run
    from nasmake.report.style import svg

    runs = [read_run(run) for run in arguments.runs]
    print(*comparison(runs), sep="\n")
    if arguments.output is not None:
        write_atomically(arguments.output, svg(figure_of, runs))


if __name__ == "__main__":
    script(main)
