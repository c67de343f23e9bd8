"""The history of a study, read from the suggestions of its trials.

Each suggestion holds its own hyperparameters, the one result that it is the first to observe, and a checksum of the
suggestion before it. All suggestions together hold the history once. A changed result changes the suggestion that
observes it, and through the checksums every later suggestion. No Optuna and no torch here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from nasmake.core.errors import InputError
from nasmake.core.files import fingerprint, read_json
from nasmake.core.provenance import without_provenance
from nasmake.core.records import RUNNING, ObservedTrial, Suggestion, record_of, trial_folder


def read_suggestions(newest: Path) -> list[dict[str, Any]]:
    """Return the content of all suggestions up to `newest`, in the order of trials.

    The fields of the newest suggestion are checked. The older ones are checked by their checksums only, because a late
    trial of a large study reads thousands of them.

    Args:
        newest: suggestion.json in the folder of its trial. The folders of the other trials lie beside it.

    Raises:
        InputError: a suggestion is missing, or it is not the one from which the next suggestion was made.
    """
    suggestions = [read_json(newest)]
    for trial in reversed(range(record_of(Suggestion, suggestions[0], newest).trial)):
        path = newest.parents[1] / trial_folder(trial) / newest.name
        older, expected = read_json(path), suggestions[-1].get("previous")
        if checksum(older) != expected:
            raise InputError(
                f"{path}: checksum is {checksum(older)}; expected {expected} as trial {trial + 1} read it; "
                f"type: rm {path}, then the same command again"
            )
        suggestions.append(older)
    return suggestions[::-1]


def checksum(suggestion: Mapping[str, Any]) -> str:
    """Return the checksum of a suggestion, without its provenance block, as the next suggestion holds it."""
    return fingerprint(without_provenance(suggestion))


def history_of(
    suggestions: Sequence[Mapping[str, Any]], newest: Mapping[str, Any] | None = None
) -> list[ObservedTrial]:
    """Return one entry for each suggestion. Its state is RUNNING while no suggestion observed the trial's result.

    Args:
        suggestions: content of the suggestions of all trials from trial 0 on, in order.
        newest: a further observation, which the next suggestion will hold.
    """
    history = [
        ObservedTrial(trial=suggestion["trial"], params=suggestion["params"], state=RUNNING, value=None)
        for suggestion in suggestions
    ]
    for observed in (*(suggestion.get("observed") for suggestion in suggestions), newest):
        if observed is not None:
            trial = observed["trial"]
            history[trial] = cast(ObservedTrial, history[trial] | observed)
    return history
