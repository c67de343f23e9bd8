"""Print the costs, the blocks and the origin of one network of a search space or an architecture file.

The input size comes from --input-size, else from the file, else from the data set in the name of the file or of its
search space (cifar 32, imagenet 224, digits 8, digits_canvas 12), else from the classes (32 for 10 or 100, 224 for
1000). The number of channels comes from the file's `channels`, else it is 1 for digits and 3 for other images.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.costs.describe import Subject, architecture_table, describe, from_decisions, from_file
from nasmake.jobs.cli import positive, script
from nasmake.search_spaces.library import given_operations

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search-space", type=Path, metavar="FILE", help="with --decisions: the space they choose in")
    parser.add_argument("--decisions", metavar="JSON", help="one index per decision, or one list of them per block")
    parser.add_argument("--architecture", metavar="FILE_OR_NAME", help="a file, or a name in config/architectures")
    parser.add_argument(
        "--operations", type=Path, metavar="FILE", help="Python file of nas.operations; its code is run"
    )
    parser.add_argument("--input-size", type=positive, metavar="N", help="edge of the images in pixels")
    parser.add_argument("--classes", type=positive, metavar="N", help="number of classes; default: the file's")
    parser.add_argument("--format", choices=("json", "table", "string", "svg"), default="json")
    arguments = parser.parse_args(argv)
    subject = subject_of(arguments)
    content = describe(subject, arguments.input_size)
    if arguments.format == "json":
        print(json.dumps(content, indent=2, sort_keys=True))
    elif arguments.format == "table":
        print(architecture_table(subject.architecture.spec, content))
    elif arguments.format == "string":
        print(content["string"])
    else:
        from nasmake.report.network_figure import draw_network
        from nasmake.report.style import svg

        title = f"{content.get('name', subject.name)}\n{content['parameters']:,} parameters, {content['macs']:,} MACs"
        images = content["channels"], content["input_size"]
        sys.stdout.write(svg(draw_network, subject.architecture.spec, *images, title).decode())


def subject_of(arguments: argparse.Namespace) -> Subject:
    """Return the network that the command line names.

    Raises:
        InputError: the options do not name exactly one network.
    """
    space, classes, own = arguments.search_space, arguments.classes, given_operations(arguments.operations)
    if (arguments.decisions is None) == (arguments.architecture is None):
        raise InputError("give either --architecture FILE_OR_NAME, or --search-space FILE with --decisions JSON")
    if arguments.architecture is not None:
        return from_file(arguments.architecture, space, classes, ROOT, own)
    if space is None:
        raise InputError("--decisions needs a search space; give --search-space FILE too")
    return from_decisions(arguments.decisions, space, classes, own)


if __name__ == "__main__":
    script(main, sys.argv[1:])
