"""Compare found networks with others: baselines.csv has a row per network and seed, baselines.md a row per network."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.baselines import Baselines
from nasmake.core.files import write_atomically, write_csv
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="section `baselines` as JSON")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--linear", type=Path, help="record of the linear model, if there is one")
    arguments = parser.parse_args(argv)
    from nasmake.evidence import comparison

    run = arguments.run
    baselines = Baselines.from_json_text(arguments.settings, "--settings")
    rows = comparison.read_rows(run, baselines, arguments.linear)
    write_csv(run / "baselines.csv", rows, comparison.COLUMNS)
    write_atomically(run / "baselines.md", comparison.markdown(rows).encode())


if __name__ == "__main__":
    script(main)
