"""Print how many networks a search space has, the range and histogram of their costs, and its smallest and largest.

With --configfile, the last line tells in how many steps a supernet of that study trains each option. The input size
comes from --input-size, else from the file, else from the data set in the name of the file, else from the classes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.jobs.cli import positive, script
from nasmake.search_spaces.library import given_operations, load_space


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", type=Path, metavar="FILE", help="a space file, such as those in config/search_spaces")
    parser.add_argument(
        "--operations", type=Path, metavar="FILE", help="Python file of nas.operations; its code is run"
    )
    parser.add_argument("--input-size", type=positive, metavar="N", help="edge of the images in pixels")
    parser.add_argument("--macs", type=positive, metavar="N", help="also print the share of networks within this limit")
    parser.add_argument("--parameters", type=positive, metavar="N", help="also print the share within this limit")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="files of a study")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args(argv)
    from nasmake.costs.describe_space import describe_space, space_table

    limits = {"macs": arguments.macs, "parameters": arguments.parameters}
    given = {metric: limit for metric, limit in limits.items() if limit is not None}
    content = describe_space(
        load_space(arguments.space, given_operations(arguments.operations)), arguments.input_size, given
    )
    print(json.dumps(content, indent=2) if arguments.format == "json" else space_table(content))
    if arguments.configfile:
        from nasmake.config.configfiles import configuration_of
        from nasmake.pipeline.inputs import dataset_facts
        from nasmake.pipeline.warnings import supernet_training

        config = configuration_of(arguments.configfile)
        line, _ = supernet_training(config, dataset_facts(config)) or ("no supernet training of a known length", 0)
        print(line)


if __name__ == "__main__":
    script(main, sys.argv[1:])
