"""Read the supernet of another run, and copy it as supernet.safetensors and supernet.json of this run."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_atomically, write_json
from nasmake.core.provenance import provenance, without_provenance
from nasmake.core.records import read_supernet
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, type=Path, help="supernet.safetensors of the other run")
    parser.add_argument("--record", required=True, type=Path, help="supernet.json beside it")
    parser.add_argument("--manifest", required=True, type=Path, help="the run's file with the facts about the data set")
    parser.add_argument("--out", required=True, type=Path, help="the copy of the weights; the record lies beside it")
    arguments = parser.parse_args(argv)
    if read_supernet(arguments.record).data != read_json(arguments.manifest)["sha256"]:
        expected = "expected a supernet that was trained on the same images; set nas.supernet: null"
        raise InputError(f"nas.supernet is {arguments.weights}; {expected}")
    write_atomically(arguments.out, arguments.weights.read_bytes())
    print(f"imported: {arguments.weights}")
    record = without_provenance(read_json(arguments.record))
    write_json(arguments.out.with_suffix(".json"), record | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
