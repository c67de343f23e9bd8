"""Count the epochs that a study computes over all of its starts, from the lines in the logs of its jobs.

A job that starts again truncates the log of the job before it, so the logs are read many times a second.
"""

import re
from collections import defaultdict
from itertools import pairwise

# A resumed job first prints the rows of the epochs before it again, without the time that an epoch took.
COMPUTED = re.compile(r"^epoch +(\d+)(?:/\d+)?  (.*) +[\d.]+ s$", re.MULTILINE)


class EpochLedger:
    """The epoch lines of all jobs of one study.

    Attributes:
        run: folder of the results.
        texts: the texts of each log, by its path: one for each process that wrote it.
    """

    def __init__(self, run):
        self.run = run
        self.texts = defaultdict(list)
        self._files = {}

    def collect(self):
        """Read the logs that changed."""
        for path in (*self.run.glob("*/logs/*.log"), *self.run.glob("logs/*.log")):
            try:
                found = path.stat()
                state = (found.st_ino, found.st_size, found.st_mtime_ns)
                if self._files.get(path) != state:
                    self._files[path] = state
                    self._add(path, path.read_bytes().replace(b"\0", b"").decode())
            except FileNotFoundError:
                continue

    def epochs(self):
        """Return the number of computed epochs."""
        return sum(len(epochs) for texts in self._trainings().values() for epochs in texts)

    def lost(self):
        """Return the trainings that repeated more than the epoch after their last save, with the epochs in order.

        A training saves its state at the end of an epoch, after the line in the log. So a process may begin with the
        last epoch that the process before it has printed, and with no earlier one.
        """
        found = {}
        for training, texts in self._trainings().items():
            if any(after[0] < max(before) for before, after in pairwise(texts)):
                found[" ".join(training)] = texts
        return found

    def _add(self, path, text):
        texts = self.texts[path]
        if texts and text.startswith(texts[-1]):
            texts[-1] = text
        elif text:
            texts.append(text)

    def _trainings(self):
        """Return the epochs of each training: one list for each process. A search also trains its random baseline."""
        found = defaultdict(list)
        for path, texts in self.texts.items():
            for text in texts:
                epochs = defaultdict(list)
                for number, values in COMPUTED.findall(text):
                    epochs["random" if "random_" in values else "main"].append(int(number))
                for name, numbers in epochs.items():
                    found[str(path.relative_to(self.run)), name].append(numbers)
        return found
