"""The records of jobs: what each job was told, which inputs it read, and the checksums of what it wrote.

A job writes its record, `<folder>/records/<rule>.json`, after all of its outputs. The record answers two questions
without a look at time stamps: are the results current (nasmake.pipeline.current), and is a file still as it was written
(`verify`)? Checksums of JSON files leave the provenance block out, so a result that is computed again has the checksum
that it had before.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from nasmake.core.errors import InputError
from nasmake.core.files import digest_of, fingerprint, read_json, write_json

RECORDS = "records"
AS_IT_WAS = "as it was"  # in place of an input's checksum: the result stays current, whatever becomes of this input
TRIAL = re.compile(r"trial-(\d{4})(?=/)")

Inputs = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class JobRecord:
    """The record of a job that has ended well.

    Attributes:
        identity: hash of the settings that decide the result.
        inputs: one hash for each named input.
        outputs: checksum of each output, by its path relative to the folder of the job.
    """

    identity: str
    inputs: dict[str, str]
    outputs: dict[str, str]

    @classmethod
    def read(cls, folder: Path, rule: str) -> Self | None:
        """Read the record of a job; None if there is none.

        Raises:
            InputError: the record is damaged.
        """
        path = record_path(folder, rule)
        if not path.is_file():
            return None
        content = read_json(path)
        facts = {name: content.get(name) for name in ("identity", "inputs", "outputs")}
        if content.get("check") != fingerprint(facts):
            raise InputError(f"{path}: damaged; its content does not match its checksum; type: rm {path}")
        return cls(**facts)  # type: ignore[arg-type]  # the checksum proves that these are our own fields

    def with_input_as_it_was(self, name: str) -> Self:
        """Return the record of a result that stays current if this input is made again."""
        return replace(self, inputs=self.inputs | {name: AS_IT_WAS})

    def write(self, folder: Path, rule: str) -> None:
        """Write the record into the folder of the job."""
        write_json(record_path(folder, rule), vars(self) | {"check": fingerprint(vars(self))})


@dataclass(frozen=True)
class JobFacts:
    """What the plan says about one job.

    Attributes:
        rule: name of the rule.
        folder: the folder of the job, which holds its record.
        identity: hash of the settings that decide the result.
        inputs: files whose content decides the result: one path, or several, by name.
        outputs: files that the job writes.
    """

    rule: str
    folder: str
    identity: str
    inputs: Inputs
    outputs: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the facts for a command line: paths of consecutive trials, from 0 on, are given by their number."""
        return vars(self) | {"inputs": {name: _compact(paths_of(value)) for name, value in self.inputs.items()}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the facts that `to_json` gave."""
        inputs = {name: _expanded(entries) for name, entries in content["inputs"].items()}
        return cls(**{**content, "inputs": inputs})

    def record(self) -> None:
        """Write the record of this job, whose outputs are complete. Inputs were verified before the job began."""
        inputs = {name: combined(list(map(_digest, paths_of(value)))) for name, value in self.inputs.items()}
        outputs = [path for path in self.outputs if Path(path).is_file()]
        names = [os.path.relpath(path, self.folder) for path in outputs]
        digests = dict(zip(names, digest_of(map(Path, outputs)), strict=True))
        JobRecord(self.identity, inputs, digests).write(Path(self.folder), self.rule)
        _digests_in.cache_clear()


def record_path(folder: Path, rule: str) -> Path:
    """Return the path of the record of a job."""
    return folder / RECORDS / f"{rule}.json"


def paths_of(value: str | Sequence[str]) -> list[str]:
    """Return the paths of one named input, in the order in which their checksums are combined."""
    return [value] if isinstance(value, str) else sorted(value)


def combined(digests: Sequence[str]) -> str:
    """Return one hash for the checksums of a named input."""
    return digests[0] if len(digests) == 1 else fingerprint(list(digests))


def verify(paths: Iterable[Path]) -> None:
    """Compare files with the checksums in the records of the jobs that wrote them. Other files are not checked.

    Raises:
        InputError: a file is missing, or it is not as it was written.
    """
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected an artefact of an earlier stage")
        expected = _recorded(path)
        if expected is None:
            continue
        try:
            (found,) = digest_of([path])
        except InputError:
            found = "no JSON"
        if found != expected:
            raise InputError(
                f"{path}: damaged or changed; its checksum is {found}; expected {expected}; "
                f"type: rm {path}, then the same command again"
            )


def _digest(path: str) -> str:
    """Return the checksum of an input: that in the record of its job, or else that of its content."""
    return _recorded(Path(path)) or digest_of([Path(path)])[0]


def _recorded(path: Path) -> str | None:
    """Return the checksum of a file in the record of its job; None if no record names it."""
    for folder in (path.parent, path.parent.parent):
        digests = _digests_in(folder)
        name = os.path.relpath(path, folder)
        if name in digests:
            return digests[name]
    return None


@lru_cache(maxsize=4096)
def _digests_in(folder: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for path in sorted((folder / RECORDS).glob("*.json")):
        record = JobRecord.read(folder, path.stem)
        digests |= record.outputs if record is not None else {}
    return digests


def _compact(paths: Sequence[str]) -> list[Any]:
    """Return paths, where those of trials 0 to n - 1 that differ in the trial only are one entry [template, n]."""
    trials: dict[str, set[int]] = {}
    for path in paths:
        if (match := TRIAL.search(path)) is not None:
            trials.setdefault(TRIAL.sub("trial-{}", path), set()).add(int(match[1]))
    complete = {template: len(numbers) for template, numbers in trials.items() if max(numbers) == len(numbers) - 1}
    others = [path for path in paths if TRIAL.sub("trial-{}", path) not in complete]
    return [*others, *([template, count] for template, count in complete.items())]


def _expanded(entries: Sequence[Any]) -> list[str]:
    paths: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            paths.append(entry)
        else:
            template, trials = entry
            paths += [template.replace("trial-{}", f"trial-{trial:04d}") for trial in range(trials)]
    return paths
