"""Link the profiles into the user's Snakemake folder, so that `snakemake --profile abci` finds them by name."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.jobs.cli import script

PROFILES = ("local", "abci", "slurm")


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    from snakemake.common import get_appdirs

    profiles = Path(__file__).resolve().parents[1] / "profiles"
    folder = Path(get_appdirs().user_config_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROFILES:
        link(folder / name, profiles / name)


def link(path: Path, profile: Path) -> None:
    """Make `path` a symbolic link to `profile`, and print the change. A link to another checkout is replaced.

    Raises:
        InputError: `path` exists and is not a link to a profile of nasmake. It is left as it is.
    """
    if path.is_symlink() and path.resolve() == profile:
        return
    if path.is_symlink() and _is_profile(path.parent / path.readlink()):
        print(f"{path}: pointed to {path.readlink()}, now to {profile}")
        path.unlink()
    elif path.is_symlink() or path.exists():
        raise InputError(
            f"{path}: is not a link of nasmake; expected nothing there: move it, or use "
            f"`--workflow-profile {path.name}` instead"
        )
    else:
        print(f"{path} -> {profile}")
    path.symlink_to(profile)


def _is_profile(target: Path) -> bool:
    """Return whether the target of a link is the profile of a checkout of nasmake, which may have been removed."""
    checkout = target.parent.parent
    has_its_name = target.name in PROFILES and target.parent.name == "profiles"
    return has_its_name and (not checkout.exists() or (checkout / "workflow" / "nasmake").is_dir())


if __name__ == "__main__":
    script(main, sys.argv[1:])
