"""The callback that sums metrics, writes one row per epoch, and decides when a checkpoint is saved.

In most hooks of Lightning 2.6.6 a checkpoint silently loses something. If it is saved at the last batch of an epoch,
the validation of this epoch never runs. If it is saved at the start of an epoch, the whole epoch is skipped. Nothing is
lost at two moments: after a batch that is not the last of its epoch, and at the end of an epoch. Every random draw is a
function of (seed, stage, epoch, step), so weights, optimizer, sums and rows are all that has to be saved.

`checkpoint` writes the files. This module may import core, `engine.distributed`, `engine.lightning` and
`engine.stage_module`.
"""

import math
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from nasmake.core.process import seconds_between_saves
from nasmake.engine.distributed import broadcast_buffers, on_any_rank, sum_over_ranks
from nasmake.engine.lightning import Checkpoint, Trainer
from nasmake.engine.stage_module import DivergedError, PrunedError

SAVE_INTERVAL = 600.0  # seconds between checkpoints within a long epoch


class TrainingState(Checkpoint):
    """Decides when a checkpoint is saved, and keeps the rows.

    It is saved at the end of an epoch if `seconds_between_saves` are over, every ten minutes within an epoch, at the
    end of the training, and on Ctrl-C, SIGTERM, SIGHUP and SIGUSR1. Saving after each short epoch took 5.8 % of the
    time of a supernet training on digits.

    A `Checkpoint` subclass runs after all other callbacks and takes the place of Lightning's own ModelCheckpoint.

    Attributes:
        path: where the checkpoint is saved.
        interval: seconds between checkpoints within an epoch.
        rows: one per finished epoch, as they go to the history file.
        sums: scalar totals of the current epoch, by column.
        epochs: length of the training, known from `setup` on.
    """

    def __init__(self, path: Path, interval: float = SAVE_INTERVAL) -> None:
        self.path, self.interval = path, interval
        self.saved_at = self.epoch_began = time.monotonic()
        self.stop_signal: int | None = None
        self.rows: list[dict[str, Any]] = []
        self.sums: dict[str, Tensor] = {}
        self.epochs: int | None = None

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Note the length of the training, before the rows of an earlier process are restored."""
        self.epochs = trainer.max_epochs

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, and the sums of the current epoch."""
        return {"rows": self.rows, "sums": self.sums}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore rows and sums, and print the rows, so that the log of a resumed job starts at the first epoch."""
        self.rows, self.sums = state_dict["rows"], state_dict["sums"]
        for row in self.rows:
            print(format_row(row, epochs=self.epochs), flush=True)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Install signal handlers: under Lightning's own handler a terminated script ends with exit code 0."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGHUP is under nohup
                signal.signal(number, self._request_stop)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock of the epoch's line in the log."""
        self.epoch_began = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add the sums of the step, and save if it is time; the last batch is saved after validation."""
        self._add(pl_module.metric_prefix, outputs["metrics"])
        self._add("val", outputs.get("val_metrics", {}))
        if batch_idx + 1 == trainer.num_training_batches:
            broadcast_buffers(pl_module)
        elif self._save_is_due(self.interval):
            self._save(trainer)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Add the sums of the validation step."""
        self._add("val", outputs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Append the epoch's row, then save if it is time to.

        If an exception is raised, nothing is saved before, so a resumed process reaches the same decision again.

        Raises:
            DivergedError: a value of the row is not finite.
            PrunedError: the module has a reason to stop.
        """
        totals = {name: total.item() for name, total in self.sums.items()}
        counts = {name: totals[f"{name.partition('_')[0]}_count"] for name in totals}
        row: dict[str, Any] = {"epoch": trainer.current_epoch + 1}
        row |= {name: totals[name] / counts[name] for name in totals if not name.endswith("_count") and counts[name]}
        row |= pl_module.epoch_summary()
        print(format_row(row, time.monotonic() - self.epoch_began, self.epochs), flush=True)
        if not all(math.isfinite(value) for value in row.values()):
            raise DivergedError(f"not finite in epoch {row['epoch']}: {format_row(row)}", self.rows)
        if reason := pl_module.reason_to_stop(row):
            raise PrunedError(reason, [*self.rows, row])
        self.rows, self.sums = [*self.rows, row], {}
        if trainer.logger is not None:
            trainer.logger.log_metrics(row, row["epoch"])
        if row["epoch"] == trainer.max_epochs or self._save_is_due(seconds_between_saves()):
            self._save(trainer)

    def _request_stop(self, number: int, frame: Any) -> None:
        if number == self.stop_signal == signal.SIGINT:  # a second Ctrl-C ends the process at once
            raise KeyboardInterrupt
        self.stop_signal = number

    def _add(self, prefix: str, metrics: Mapping[str, Tensor]) -> None:
        for name, value in sum_over_ranks(metrics).items():
            column, value = f"{prefix}_{name}", value.detach().float()
            self.sums[column] = self.sums[column].to(value) + value if column in self.sums else value

    def _save_is_due(self, seconds: float) -> bool:
        """Return True on every rank if `seconds` are over since the last save, or if the process is asked to stop."""
        return on_any_rank(self.stop_signal is not None or time.monotonic() - self.saved_at >= seconds)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self.saved_at = time.monotonic()
        if on_any_rank(self.stop_signal is not None):
            number = self.stop_signal or signal.SIGTERM  # another rank's signal may not have reached this rank yet
            print(f"stopped by {signal.Signals(number).name}; the training state is saved", flush=True)
            raise SystemExit(128 + number)


def format_row(row: Mapping[str, Any], seconds: float | None = None, epochs: int | None = None) -> str:
    """Return the epoch's line of the log, in columns of fixed width.

    Args:
        row: the epoch's number, and its metrics by name.
        seconds: how long the epoch took. It is left out of a line that is printed again.
        epochs: length of the training.
    """
    cells = [f"epoch {row['epoch']:>4}{'' if epochs is None else f'/{epochs}'}"]
    for name, value in row.items():
        if name != "epoch":
            cells.append(f"{name} {value:>9d}" if isinstance(value, int) else f"{name} {value:9.4f}")
    return "  ".join(cells if seconds is None else [*cells, f"{seconds:6.1f} s"])
