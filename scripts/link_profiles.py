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

    here = Path(__file__).resolve().parents[1] / "profiles"
    folder = Path(get_appdirs().user_config_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROFILES:
        link(folder / name, here / name)


def link(place: Path, profile: Path) -> None:
    """Make `place` a link to `profile`; a link to another checkout is turned to this one.

    Raises:
        InputError: something else is in the way; it is left alone.
    """
    if place.is_symlink() and place.resolve() == profile:
        return
    if place.is_symlink() and _of_a_checkout(place.parent / place.readlink()):
        print(f"{place}: pointed to {place.readlink()}, now to {profile}")
        place.unlink()
    elif place.is_symlink() or place.exists():
        raise InputError(
            f"{place}: is in the way and is not nasmake's; move it, or use `--workflow-profile {place.name}` instead"
        )
    else:
        print(f"{place} -> {profile}")
    place.symlink_to(profile)


def _of_a_checkout(profile: Path) -> bool:
    """Whether a link's target is (or was, before it was removed) the profile of a nasmake checkout."""
    checkout = profile.parent.parent
    named_like_ours = profile.name in PROFILES and profile.parent.name == "profiles"
    return named_like_ours and (not checkout.exists() or (checkout / "workflow" / "nasmake").is_dir())


if __name__ == "__main__":
    script(main, sys.argv[1:])
