"""Print the most probable classes of images, by the best network of a finished study.

The network is that of --model, by default that of the study in results/ that was exported last.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.jobs.cli import positive, script


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="a file that Pillow reads, of any size")
    parser.add_argument(
        "--model", type=Path, metavar="FOLDER", help="folder of the network, such as results/digits/best"
    )
    parser.add_argument("--top", type=positive, default=3, metavar="N", help="number of classes per image; default 3")
    arguments = parser.parse_args(argv)
    folder = arguments.model or newest_export()
    from nasmake.engine.predict import predict

    classes, probabilities = predict(folder, arguments.images)
    print(f"network: {folder}")
    for path, row in zip(arguments.images, probabilities.tolist(), strict=True):
        best = sorted(zip(row, classes, strict=True), key=lambda pair: -pair[0])[: arguments.top]
        print(f"{path}: {', '.join(f'{name} {probability:.4f}' for probability, name in best)}")


def newest_export() -> Path:
    """Return the folder of the network in results/ that was exported last.

    Raises:
        InputError: there is none.
    """
    programs = sorted(Path("results").glob("*/best/model.pt2"), key=lambda path: path.stat().st_mtime)
    if not programs:
        raise InputError("results: no run with best/model.pt2; expected a finished run, or --model FOLDER")
    return programs[-1].parent


if __name__ == "__main__":
    script(main)
