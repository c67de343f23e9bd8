"""Exact resume: one callback decides when the training state is saved, one CheckpointIO makes a save safe.

In most hooks of Lightning 2.6.6 a checkpoint loses something silently: written at the last batch of an epoch, its
validation never runs; at the start of an epoch, the whole epoch is skipped. Two places are exact: after a batch that is
not the last of its epoch, and at the end of an epoch. Everything random is a function of (seed, stage, epoch, step), so
weights, optimizer, sums and rows are all there is to save.
"""

import math
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from nasmake.engine.distributed import broadcast_buffers, on_any_rank, sum_over_ranks
from nasmake.engine.lightning import Checkpoint, Trainer
from nasmake.engine.stage_module import DivergedError, PrunedError

SAVE_INTERVAL = 600.0  # seconds between saves within a long epoch


class TrainingState(Checkpoint):
    """Saves at the end of every epoch, every ten minutes and on Ctrl-C, SIGTERM or SIGUSR1; owns the history.

    A `Checkpoint` subclass runs after all other callbacks and takes the place of Lightning's own ModelCheckpoint.

    Attributes:
        rows: one per finished epoch, as they go to the history file.
    """

    def __init__(self, path: Path, interval: float = SAVE_INTERVAL) -> None:
        self.path, self.interval = path, interval
        self.saved_at = self.epoch_began = time.monotonic()
        self.stop_signal: int | None = None
        self.rows: list[dict[str, Any]] = []
        self.sums: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """Rows, and the sums of an epoch under way."""
        return {"rows": self.rows, "sums": self.sums}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was saved, and print it: the log of a resumed job tells the whole story."""
        self.rows, self.sums = state_dict["rows"], state_dict["sums"]
        for row in self.rows:
            print(format_row(row), flush=True)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Take the signals: under Lightning's own handler a terminated script ends with exit code 0."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._request_stop)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock of the log line."""
        self.epoch_began = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add up, and save if it is time; the last batch is saved at the end of the epoch, after validation."""
        self._add(pl_module.metric_prefix, outputs["metrics"])
        self._add("val", outputs.get("val_metrics", {}))
        if batch_idx + 1 == trainer.num_training_batches:
            broadcast_buffers(pl_module)
        elif on_any_rank(self.stop_signal is not None or time.monotonic() - self.saved_at > self.interval):
            self._save(trainer)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Add up."""
        self._add("val", outputs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Close the epoch's row, then save.

        Raises:
            DivergedError: a sum is not finite.
            PrunedError: the module has a reason. Nothing is saved before, so that a resumed process finds it too.
        """
        row = {"epoch": trainer.current_epoch + 1} | _means(self.sums) | pl_module.epoch_summary()
        print(format_row(row, time.monotonic() - self.epoch_began), flush=True)
        if not all(math.isfinite(value) for value in row.values()):
            raise DivergedError(f"not finite in epoch {row['epoch']}: {format_row(row)}", self.rows)
        if reason := pl_module.reason_to_stop(row):
            raise PrunedError(reason, [*self.rows, row])
        self.rows, self.sums = [*self.rows, row], {}
        if trainer.logger is not None:
            trainer.logger.log_metrics(row, row["epoch"])
        self._save(trainer)

    def _request_stop(self, number: int, frame: Any) -> None:
        if number == self.stop_signal == signal.SIGINT:  # Ctrl-C twice: at once
            raise KeyboardInterrupt
        self.stop_signal = number

    def _add(self, metric_prefix: str, metrics: Mapping[str, Tensor]) -> None:
        for name, value in sum_over_ranks(metrics).items():
            key, value = f"{metric_prefix}_{name}", value.detach().float()
            self.sums[key] = self.sums[key].to(value) + value if key in self.sums else value

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self.saved_at = time.monotonic()
        if on_any_rank(self.stop_signal is not None):
            number = self.stop_signal or signal.SIGTERM  # on the way to this rank
            print(f"stopped by {signal.Signals(number).name}; the training state is saved", flush=True)
            raise SystemExit(128 + number)


def format_row(row: Mapping[str, Any], seconds: float | None = None) -> str:
    """One line of fixed columns for the log."""
    cells = [f"epoch {row['epoch']:>4}"]
    cells += [f"{name} {_number(value)}" for name, value in row.items() if name != "epoch"]
    return "  ".join(cells if seconds is None else [*cells, f"{seconds:6.1f} s"])


def _number(value: float) -> str:
    return f"{value:>9d}" if isinstance(value, int) else f"{value:9.4f}"


def _means(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Sums over their counts; what was not counted at all has no mean."""
    totals = {name: total.item() for name, total in sums.items()}
    counts = {name: totals[f"{name.split('_')[0]}_count"] for name in totals}
    return {
        name: value / counts[name] for name, value in totals.items() if not name.endswith("_count") and counts[name] > 0
    }
