"""Run the code of nas.operations once for every shape of a search space, without data, and report its errors."""

import argparse
from collections.abc import Sequence

from nasmake.core.json_text import parse_json
from nasmake.jobs.cli import positive, script
from nasmake.search_spaces import SearchSpace


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--search-space", required=True, metavar="JSON", help="what the stages receive of the space")
    parser.add_argument("--channels", required=True, type=positive, metavar="N", help="channels of the images")
    parser.add_argument("--input-size", required=True, type=positive, metavar="N", help="edge of the images in pixels")
    arguments = parser.parse_args(argv)
    from nasmake.costs.own_costs import check_operations
    from nasmake.costs.units import units_of_space

    given = parse_json(arguments.search_space, "--search-space")
    for settings in given.get("choices", {"": given}).values():
        space = SearchSpace.from_settings(settings)
        check_operations(units_of_space(space, arguments.channels, arguments.input_size).values())


if __name__ == "__main__":
    script(main)
