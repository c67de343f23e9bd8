"""Read a network from the configuration, and write it as architecture.json for the data set's classes and images."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import read_json, write_json
from nasmake.core.json_text import parse_json
from nasmake.core.provenance import provenance
from nasmake.core.records import COMPLETE
from nasmake.costs.table import with_costs
from nasmake.jobs.cli import script
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.own_operations import operations_of


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--architecture",
        required=True,
        type=lambda text: parse_json(text, "--architecture"),
        help="content of the network's file, as JSON",
    )
    parser.add_argument("--manifest", required=True, type=Path, help="the run's file with the facts about the data set")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    manifest = read_json(arguments.manifest)
    size, _, channels = manifest["image_shape"]
    own = operations_of(arguments.architecture.get("operations"), may_run=True)  # the plan compared it with the key
    architecture = Architecture.from_json(arguments.architecture, "nas.architecture", len(manifest["classes"]), own)
    named = {key: arguments.architecture[key] for key in ("name", "source") if key in arguments.architecture}
    content = named | with_costs(architecture, channels, size) | {"state": COMPLETE}
    print(f"imported: {content['parameters']:,} parameters, {content['macs']:,} MACs: {content['string']}")
    write_json(arguments.out, content | {"provenance": provenance(started)})


if __name__ == "__main__":
    script(main)
