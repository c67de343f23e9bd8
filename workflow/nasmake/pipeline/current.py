"""Which results are current: those whose record agrees with the plan, whatever time stamps and Snakemake's notes say.

A result is current if its record holds the hash of the settings that the plan gives its job now, and if every input
that it read has the checksum that the record of the input's own job holds now. The comparison reads records only, no
artefacts. It decides what Snakemake runs: the rules mark all inputs as ancient, and force the jobs that this module
names. The Snakefile imports this module, so it loads no torch.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasmake.core.artefacts import AS_IT_WAS, JobFacts, JobRecord, combined, paths_of, record_path
from nasmake.core.errors import InputError
from nasmake.data.pointer import read_pointer
from nasmake.pipeline.study_jobs import Jobs

OF_PROMOTED = ("finals", "weights", "architectures", "predictions")  # names of inputs that the promotion decides


class Current:
    """The comparison of a table of jobs with the records of earlier jobs.

    Attributes:
        jobs: the table.
        reasons: why results of each rule are made again, with the number of jobs.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.reasons: Counter[tuple[str, str]] = Counter()
        self._records: dict[str, JobRecord | None] = {}
        self._found: dict[str, str | None] = {}

    def outdated(self, job: JobFacts) -> str | None:
        """Return why the result of a job is not current; None if it is. A job without a record was never finished.

        Raises:
            InputError: a record is damaged.
        """
        key = str(record_path(Path(job.folder), job.rule))
        if key not in self._found:
            self._found[key] = self._compare(job)
            reason = self._found[key] or (None if is_complete(job) else "a file is missing")
            if reason is not None and any(map(os.path.exists, job.outputs)):
                self.reasons[job.rule, reason] += 1
        return self._found[key]

    def explained(self) -> list[str]:
        """Return one line for each rule and reason why existing results are made again."""
        return [
            f"{rule}: {count} existing {'result is' if count == 1 else 'results are'} made again: {reason}"
            for (rule, reason), count in self.reasons.items()
        ]

    def needed_inputs(self, job: JobFacts) -> dict[str, list[str]]:
        """Return the inputs of a job that Snakemake has to know.

        A job with a current and complete result needs no input from a job that has to run again, since one of its
        outputs is missing: Snakemake would compute the result again too. Where an input consists of several files of
        one job, the first file stands for all.
        """
        inputs = {name: value for name, value in job.inputs.items() if name not in OF_PROMOTED}
        needed = {name: self._one_of_each_job(paths_of(value)) for name, value in inputs.items()}
        if self.outdated(job) is not None or not is_complete(job):
            return needed
        present = {name: [path for path in paths if self._is_present(path)] for name, paths in needed.items()}
        return {name: paths for name, paths in present.items() if paths}

    def _one_of_each_job(self, paths: list[str]) -> list[str]:
        first: dict[tuple[str, str], str] = {}
        for path in paths:
            producer = self.jobs.producer(path)
            first.setdefault(("", path) if producer is None else (producer.folder, producer.rule), path)
        return list(first.values())

    def _is_present(self, path: str) -> bool:
        producer = self.jobs.producer(path)
        return Path(path).exists() if producer is None else is_complete(producer)

    def _compare(self, job: JobFacts) -> str | None:
        record = self._record(job)
        if record is None:
            return "no record of a finished job"
        if record.identity != job.identity:
            return self.jobs.changed_images(job) or "its settings changed"
        if record.inputs.keys() != job.inputs.keys():
            return "its inputs changed"
        for name, value in job.inputs.items():
            reason = self._compare_input(name, paths_of(value), record.inputs[name])
            if reason is not None:
                return reason
        return _moved_data(job) if job.rule.startswith("download_") else None

    def _compare_input(self, name: str, paths: list[str], recorded: str) -> str | None:
        if recorded == AS_IT_WAS:
            return None
        digests = []
        for path in paths:
            producer = self.jobs.producer(path)
            if producer is None:
                return None  # a file from outside: the identity of the job holds its checksum
            if self.outdated(producer) is not None:
                return f"{name} is made again"
            record = self._record(producer)
            digests.append(record.outputs.get(os.path.relpath(path, producer.folder), "") if record else "")
        return None if combined(digests) == recorded else f"{name} changed"

    def _record(self, job: JobFacts) -> JobRecord | None:
        key = str(record_path(Path(job.folder), job.rule))
        if key not in self._records:
            self._records[key] = JobRecord.read(Path(job.folder), job.rule)
        return self._records[key]


def is_complete(job: JobFacts) -> bool:
    """Return True if no output of a job is missing."""
    return all(map(os.path.exists, job.outputs))


def _moved_data(job: JobFacts) -> str | None:
    """Return why the prepared data set behind a pointer is not the one of the pointer; None if it is."""
    pointer = Path(job.outputs[0])
    if not pointer.is_file():
        return None
    try:
        read_pointer(pointer)
    except InputError:
        return "the prepared data set changed"
    return None


def unmark_incomplete(persistence: Any, outputs: Sequence[str]) -> None:
    """Remove Snakemake's marks of an unfinished job from the outputs of a job whose record says that it has ended well.

    Such marks stay if the controller dies before its job ends. `persistence` is Snakemake's own object, whose methods
    are not public: a test kills a real controller to see that this function still works.
    """
    for path in outputs:
        persistence._unmark_incomplete(path)
