"""Print requirements with the lowest version of every dependency that pyproject.toml allows, for `make test-minimum`."""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from nasmake.jobs.cli import script

# On Linux another version of torch than the lock's downloads several GB of CUDA packages. The tests of the rooms that
# `make test-minimum` runs hardly use torch, so it stays at the version of requirements.lock, like the tools of the tests.
LOCKED = ("lightning", "torch", "torchvision", "hypothesis", "pytest", "pytest-timeout")


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    dependencies: list[str] = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [re.sub(r">=([^,]+).*", r"==\1", dependency) for dependency in dependencies]
    locked = Path("requirements.lock").read_text().splitlines()
    print(*(line for line in lowest if line.partition("==")[0] not in LOCKED), sep="\n")
    print(*(line for line in locked if line.partition("==")[0] in LOCKED), sep="\n")


if __name__ == "__main__":
    script(main, sys.argv[1:])
