"""Print when jobs begin to wait for PBS, and when they no longer wait: one line each.

This module imports nothing from the package.
"""

from collections.abc import Callable, Hashable


class Waits:
    """The reasons for which jobs wait, and the jobs that wait for each of them.

    Args:
        log: function that prints one line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._waiting: dict[Hashable, set[Hashable]] = {}

    def begin(self, reason: Hashable, job: Hashable, line: str) -> None:
        """Let a job wait; print `line` if it is the first job that waits for this reason."""
        if reason not in self._waiting:
            self._log(line)
        self.join(reason, job)

    def join(self, reason: Hashable, job: Hashable) -> None:
        """Let another job wait for a reason for which jobs already wait."""
        self._waiting.setdefault(reason, set()).add(job)

    def end(self, reason: Hashable, job: Hashable, line: str) -> None:
        """Let a job no longer wait; print `line` if it was the last job that waited for this reason."""
        jobs = self._waiting.get(reason, set())
        jobs.discard(job)
        if reason in self._waiting and not jobs:
            del self._waiting[reason]
            self._log(line)
