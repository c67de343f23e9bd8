"""Take a supernet of another run instead of training one: supernet.safetensors, supernet.json."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_atomically, write_json
from nasmake.core.provenance import provenance, without_provenance
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, type=Path, help="supernet.safetensors of the other run")
    parser.add_argument("--record", required=True, type=Path, help="supernet.json beside it")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.json of the prepared data set")
    parser.add_argument("--out", required=True, type=Path, help="the copy of the weights; the record lies beside it")
    arguments = parser.parse_args(argv)
    record = read_json(arguments.record)
    if record["data"] != read_json(arguments.manifest)["sha256"]:
        raise InputError(f"nas.supernet: {arguments.weights}: was trained on other images; set nas.supernet: null")
    write_atomically(arguments.out, arguments.weights.read_bytes())
    print(f"taken: {arguments.weights}")
    write_json(arguments.out.with_suffix(".json"), without_provenance(record) | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
