"""Prepare the data set of the study: download or read its source, verify it, and write arrays and a manifest."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.data.preparing.prepare import prepare
from nasmake.jobs.cli import script

OFFICIAL = "official"  # stands for the URL of the data set's authors


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="name, path, sha256 and image_size, as JSON")
    parser.add_argument("--url", default=OFFICIAL, help="URL of another source of the archive")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result, <dataset.path>/<dataset.name>")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    url = None if arguments.url == OFFICIAL else arguments.url
    prepare(arguments.settings | {"url": url}, arguments.out)


if __name__ == "__main__":
    script(main)
