"""Read evidence.md and evidence.svg of a finished run, and write them to workflow/report/evidence.md and .svg."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script

PAGE, FIGURE = Path("workflow/report/evidence.md"), Path("workflow/report/evidence.svg")
BEGIN, END = "<!-- evidence: python scripts/publish_evidence.py -->\n", "<!-- evidence ends -->"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("results/evidence"), help="folder of the finished run")
    arguments = parser.parse_args(argv)
    files = [arguments.run / f"evidence.{suffix}" for suffix in ("md", "svg")]
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file; type: make evidence")
    table, figure = (path.read_bytes() for path in files)
    before, rest = PAGE.read_text().split(BEGIN)
    image = f"![networks, rankings and searches]({FIGURE.name})"
    text = f"{before}{BEGIN}{table.decode()}\n{image}\n{END}{rest.split(END, 1)[1]}"
    write_atomically(FIGURE, figure)
    write_atomically(PAGE, text.encode())
    print(f"{PAGE}: table of {arguments.run}; figure: {FIGURE}")


if __name__ == "__main__":
    script(main, sys.argv[1:])
