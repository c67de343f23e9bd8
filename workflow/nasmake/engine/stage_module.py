"""The base class of the Lightning modules of all stages, and the exceptions that end a training early.

This module may import `engine.lightning`.
"""

from collections.abc import Mapping
from typing import Any

from nasmake.engine.lightning import LightningModule


class StoppedError(Exception):
    """Training ends before its last epoch: a result of the trial, not a failure of the machine.

    Attributes:
        rows: of the epochs that go into the history.
    """

    def __init__(self, text: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(text)
        self.rows = rows


class DivergedError(StoppedError):
    """A loss became NaN or infinite."""


class PrunedError(StoppedError):
    """The pruner stops a trial whose further epochs are not worth their compute time."""


class StageModule(LightningModule):
    """The Lightning module of a stage.

    A training step returns {"metrics": sums}, with the sums of `metrics.scores`. A step that also evaluates adds
    {"val_metrics": sums}. A validation step returns the sums themselves.

    Attributes:
        metric_prefix: first word of the columns that hold the sums of the training steps.
    """

    metric_prefix: str = "train"

    def epoch_summary(self) -> dict[str, float]:
        """Return the further columns of the epoch's row."""
        raise NotImplementedError

    def reason_to_stop(self, row: Mapping[str, Any]) -> str | None:
        """Return why training stops after the epoch of `row`, or None to go on.

        The answer may depend on `row` alone, so that a resumed process gives the same one.
        """
        return None
