"""Prepare the data set of the study: download or read its source, verify it, write arrays and a manifest."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.artifacts import InputError
from nasmake.data import prepare


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="the section `dataset` as JSON text")
    parser.add_argument("--out", type=Path, required=True, help="<dataset.path>/<dataset.name>")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        prepare(arguments.settings, arguments.out)
    except (InputError, OSError) as error:  # such as a folder that cannot be written, a full disk
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
