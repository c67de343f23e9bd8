"""The base class of what a stage trains or evaluates, and the ways in which training ends early."""

from collections.abc import Mapping
from typing import Any

from nasmake.engine.lightning import LightningModule


class StoppedError(Exception):
    """Training ends before its last epoch: a result of the trial, not a failure of the machine.

    Attributes:
        rows: of the epochs that count.
    """

    def __init__(self, text: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(text)
        self.rows = rows


class DivergedError(StoppedError):
    """A loss became NaN or infinite."""


class PrunedError(StoppedError):
    """A trial is not worth its further epochs."""


class StageModule(LightningModule):
    """What a stage trains or evaluates. Steps return {"metrics": sums}, validation steps the sums themselves.

    Steps that also evaluate add {"val_metrics": sums}.

    Attributes:
        metric_prefix: what the sums of a step are about, first word of their columns.
    """

    metric_prefix: str = "train"

    def epoch_summary(self) -> dict[str, float]:
        """Further columns of an epoch's row."""
        raise NotImplementedError

    def reason_to_stop(self, row: Mapping[str, Any]) -> str | None:
        """Why training should end with this row, a function of the row alone; None to go on."""
        return None
