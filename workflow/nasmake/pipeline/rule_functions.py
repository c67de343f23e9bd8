"""Functions that rules pass to Snakemake for params, priorities and resources.

Snakemake passes its own objects to the arguments by name, so the names of the arguments are fixed. This module imports
the standard library only, and not Snakemake.
"""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

RETRIES = 2  # how often Snakemake tries a training stage once more


def optional(*names: str) -> Callable[[Any, Any], str]:
    """Return a params function that makes the option `--name file` of each named input that the job has."""

    def options(wildcards: Any, input: Any) -> str:
        given = [(name, str(input[name])) for name in names if input.get(name)]
        return shlex.join(part for name, path in given for part in (f"--{name}", path))

    return options


def folder(wildcards: Any, output: Any) -> str:
    """Return the folder of the rule's first output."""
    return str(Path(output[0]).parent)


def folder_above(wildcards: Any, output: Any) -> str:
    """Return the folder above that of the rule's first output."""
    return str(Path(output[0]).parents[1])


def oldest_first(wildcards: Any) -> int:
    """Return a higher priority for an older trial, so that Snakemake finishes trials instead of starting all."""
    return 0 if wildcards.unit == "shared" else 10000 - int(wildcards.unit[-4:])


def attempt_number(wildcards: Any, attempt: int) -> int:
    """Return the number of the attempt, from 1, as a resource, since a resource that changes reruns nothing."""
    return attempt
