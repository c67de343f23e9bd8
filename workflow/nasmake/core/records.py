"""States of a trial, and the names of the folders that hold its results."""

COMPLETE = "COMPLETE"
PRUNED = "PRUNED"
SHARED = "shared"


def trial_folder(trial: int) -> str:
    """Name of a trial's unit."""
    return f"trial-{trial:04d}"


def trial_number(unit: str) -> int | None:
    """Number of a unit's trial; None for the shared unit."""
    return None if unit == SHARED else int(unit.removeprefix("trial-"))
