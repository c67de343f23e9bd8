"""study/journal.log of a running study: what optuna-dashboard shows, read from the files of the trials.

The controller alone writes this file, because it holds the lock of its folder. The file has real times, so it is no
result of a job and no checksum covers it. This module loads no torch. It imports core, pipeline and study, and with it
Optuna.
"""

import atexit
import csv
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasmake.core.errors import InputError
from nasmake.core.files import read_json
from nasmake.core.records import RUNNING, read_result
from nasmake.pipeline.plan import Plan

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

INTERVAL = 10.0  # seconds between two looks at the files
SHARE = 20  # a look may take a twentieth of the time, so a large study on a slow file system is looked at less often
ATTRIBUTES = ("val_loss", "parameters", "macs", "latency_ms", "architecture", "reason")
FILES = ("suggestion.json", "result.json", "final.json", "logs/retrain.log")
VAL_ACCURACY = re.compile(r"^epoch .* val_accuracy +([\d.]+)", re.MULTILINE)


class LiveJournal:
    """Keeps the journal of a run in step with its files."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.path = plan, Path(plan.run, "study", "journal.log")
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._trials: dict[str, FrozenTrial] = {}
        self._lock = threading.Lock()

    def follow(self, warn: Callable[[str], None]) -> None:
        """Update the journal in the background, and a last time when this process ends.

        Args:
            warn: takes one line if the journal cannot be continued.
        """
        threading.Thread(target=self._follow, args=(warn,), daemon=True).start()
        atexit.register(self._update_or, warn)

    def update(self) -> None:
        """Append what the files of the trials tell by now and the journal does not.

        Raises:
            InputError: a file of a trial is damaged.
            OSError: the journal cannot be written.
            ValueError: a trial has a hyperparameter outside of its range, which was narrowed.
        """
        with self._lock:
            if not self._read():
                return
            from nasmake.study.journal import extend_journal, silence_optuna

            silence_optuna()
            extend_journal(self.path, self.plan.study, Path(self.plan.run).name, list(self._trials.values()))

    def _follow(self, warn: Callable[[str], None]) -> None:
        began = time.monotonic()
        while self._update_or(warn):
            time.sleep(max(INTERVAL, SHARE * (time.monotonic() - began)))
            began = time.monotonic()

    def _update_or(self, warn: Callable[[str], None]) -> bool:
        """Return True if the journal is up to date."""
        try:
            self.update()
        except (InputError, OSError, ValueError) as error:
            warn(f"warning: {self.path} is not continued: {error}")
            return False
        return True

    def _read(self) -> bool:
        """Read the trials whose files changed; returns whether any did, or the journal is missing."""
        has_changed = bool(self._trials) and not self.path.is_file()
        for trial in self.plan.trials:
            folder = Path(self.plan.run, f"trial-{trial}")
            stamp = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in (folder / one for one in FILES))
            if not stamp[0]:
                break  # no later trial has a suggestion
            if self._stamps.get(trial) != stamp:
                self._trials[trial], self._stamps[trial], has_changed = self._trial(folder), stamp, True
        return has_changed

    def _trial(self, folder: Path) -> "FrozenTrial":
        from nasmake.study.journal import frozen_trials, observed_fields

        suggestion, result = folder / "suggestion.json", folder / "result.json"
        content = read_json(suggestion)
        observed: dict[str, Any] = {"trial": content["trial"], "params": content["params"]}
        observed |= {"state": RUNNING, "value": None, "val_accuracies": _val_accuracies(folder)}
        attributes: dict[str, Any] = {}
        if result.is_file():
            outcome = read_result(result)
            names = [name for name in observed_fields(self.plan.study) if name != "val_accuracies"]
            observed |= {name: getattr(outcome, name) for name in names}
            attributes = {name: getattr(outcome, name) for name in ATTRIBUTES} | _tested(folder / "final.json")
        (trial,) = frozen_trials(self.plan.study, [observed])  # type: ignore[list-item]  # the fields were checked
        trial.datetime_start = _moment(suggestion, content)
        trial.datetime_complete = _moment(result, read_json(result)) if result.is_file() else None
        trial.user_attrs = {name: value for name, value in attributes.items() if value is not None}
        return trial


def _val_accuracies(folder: Path) -> list[float]:
    """Return the val accuracy of each epoch of the retraining: of a finished one from its table, else from its log."""
    table, log = folder / "history/retrain.csv", folder / "logs/retrain.log"
    if table.is_file():
        with table.open(newline="") as stream:
            return [float(row["val_accuracy"]) for row in csv.DictReader(stream) if row.get("val_accuracy")]
    return list(map(float, VAL_ACCURACY.findall(log.read_text(errors="replace")))) if log.is_file() else []


def _tested(final: Path) -> dict[str, Any]:
    content = read_json(final) if final.is_file() else {}
    return {name: content.get(name) for name in ("test_accuracy", "test_loss")}


def _moment(path: Path, content: Mapping[str, Any]) -> datetime:
    """Return when a file was written: by its provenance, else by its time stamp."""
    made = content.get("provenance", {})
    if "started" not in made:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.fromisoformat(made["started"]) + timedelta(seconds=made.get("seconds", 0.0))
