"""Print requirements with the lowest versions of dependencies in pyproject.toml, for `make test-minimum`."""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from nasmake.jobs.cli import script

# These packages keep their locked versions. On Linux another torch would download several GB of CUDA
# packages, and the tests of `make test-minimum` hardly use torch. The last three are the tools of the tests.
LOCKED = ("lightning", "torch", "torchvision", "hypothesis", "pytest", "pytest-timeout")


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    dependencies: list[str] = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [re.sub(r">=([^,]+).*", r"==\1", dependency) for dependency in dependencies]
    locks = Path("requirements.lock").read_text() + Path("requirements-torch.lock").read_text()
    locked = re.findall(
        r"^[\w-]+==[^ \n]+", locks, re.MULTILINE
    )  # without hashes, which pip demands of all lines or none
    print(*(line for line in lowest if line.partition("==")[0] not in LOCKED), sep="\n")
    print(*(line for line in locked if line.partition("==")[0] in LOCKED), sep="\n")


if __name__ == "__main__":
    script(main, sys.argv[1:])
