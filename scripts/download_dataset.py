"""Prepare the data set of the study: download or read its source, verify it, and write arrays and a manifest."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.json_text import parse_json
from nasmake.core.process import dataset_url
from nasmake.data.pointer import write_pointer
from nasmake.data.preparing.prepare import prepare
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings",
        type=lambda text: parse_json(text, "--settings"),
        required=True,
        help="name, path, sha256 and image_size, as JSON",
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder of the arrays")
    parser.add_argument("--out", type=Path, required=True, help="the run's file with the facts about the data set")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    manifest = prepare(arguments.settings | {"url": dataset_url(arguments.settings["name"])}, arguments.folder)
    write_pointer(arguments.out, arguments.folder, manifest)


if __name__ == "__main__":
    script(main)
