"""Typed records of the JSON files that a study writes, with one reader each, and the names of its folders.

The stages write these files. The study, the report and the scripts read them through this module. architecture.json is
read by nasmake.search_spaces. Only the standard library and nasmake.core are imported here.
"""

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, NotRequired, TypedDict, TypeVar

from nasmake.core.errors import InputError, cut, shown
from nasmake.core.files import read_json

COMPLETE: Final = "COMPLETE"  # the stage ran to its end
PRUNED: Final = "PRUNED"  # training diverged, was stopped by the pruner, or gave a supernet that cannot be searched
FAIL: Final = "FAIL"  # the last attempt of the stage raised an exception, or a user gave the trial up
RUNNING: Final = "RUNNING"  # the result was not observed yet; only in the history of a study
SHARED = "shared"
BELOW_MEDIAN: Final = "pruned in epoch"  # begins the cause of a training that the pruner stopped
AT_CHANCE: Final = "supernet at chance"  # begins the cause of a search that does not go on
State = Literal["COMPLETE", "PRUNED", "FAIL"]
Outcome = Literal["completed", "pruned", "diverged", "failed"]

Record = TypeVar("Record")
LARGEST = 1e300  # of a number in a record
EXPECTED = {int: "a whole number", float: "a finite number", str: "text", dict: "an object", list: "a list"}


def trial_folder(trial: int) -> str:
    """Return the name of the folder that holds a trial's files."""
    return f"trial-{trial:04d}"


def trial_number(unit: str) -> int | None:
    """Return the number of the trial whose folder is `unit`; None for the folder that all trials share."""
    return None if unit == SHARED else int(unit.removeprefix("trial-"))


def final_units(unit: str, seeds: int) -> list[str]:
    """Return the folders of the final trainings of a trial. The first one is the folder `unit` of the trial itself."""
    return [unit, *(f"{unit}/repeat-{number}" for number in range(1, seeds))]


def trial_and_repeat(unit: str) -> tuple[str, int]:
    """Return the folder of the trial, and the number of the final training that `unit` holds: 0 for the trial's own."""
    trial, _, number = unit.partition("/repeat-")
    return trial, int(number or 0)


class Observation(TypedDict):
    """What a study knows of the outcome of a trial.

    `value` is the val accuracy of a completed trial, else None. A cost is present if the study minimises it.
    `val_accuracies`, one per epoch, are present in a study with a pruner.
    """

    trial: int
    state: Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    value: float | None
    parameters: NotRequired[int]
    macs: NotRequired[int]
    latency_ms: NotRequired[float]
    val_accuracies: NotRequired[list[float]]


class ObservedTrial(Observation):
    """One entry of the history of a study: a trial's hyperparameters, and its outcome as far as it is known."""

    params: dict[str, Any]


@dataclass(frozen=True)
class Suggestion:
    """suggestion.json: the hyperparameters of one trial.

    The suggestions of a study form a chain. `nasmake.study.history` reads the history of the study from them.

    Attributes:
        trial: number of the trial.
        params: value of each sampled hyperparameter, by name.
        previous: checksum of the suggestion of the trial before; None for trial 0.
        observed: the result that this trial is the first one to observe; None if no trial is `lag` behind.
        prune_below: for each epoch of the retraining the val accuracy below which it stops; None without a pruner.
    """

    trial: int
    params: dict[str, Any]
    previous: str | None = None
    observed: Observation | None = None
    prune_below: list[float | None] | None = None


@dataclass(frozen=True)
class TrialResult:
    """result.json: the outcome of one trial. A trial whose state is PRUNED or FAIL has neither value nor scores.

    Attributes:
        value: the objective that the study maximises, which is the val accuracy.
        reason: stage and cause of an early end, such as `retrain: not finite in epoch 3`.
        parameters: learnable parameters of the network.
        macs: multiply-adds for one image.
        latency_ms: measured or estimated latency; present if the search has a limit on latency.
        val_accuracies: val accuracy of each epoch of the retraining; present in a study with a pruner.
    """

    trial: int
    state: State
    value: float | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    architecture: str | None = None
    parameters: int | None = None
    macs: int | None = None
    latency_ms: float | None = None
    reason: str | None = None
    val_accuracies: list[float] | None = None

    @property
    def stopped_in(self) -> str | None:
        """The stage that ended the trial early; None for a completed trial."""
        return None if self.reason is None else self.reason.partition(":")[0]

    @property
    def outcome(self) -> Outcome:
        """How the trial ended. The state PRUNED stands for two outcomes, which the reason tells apart."""
        if self.state == COMPLETE:
            return "completed"
        if self.state == FAIL:
            return "failed"
        cause = (self.reason or "").partition(": ")[2]
        return "pruned" if cause.startswith((BELOW_MEDIAN, AT_CHANCE)) else "diverged"


@dataclass(frozen=True)
class CompletedTrial(TrialResult):
    """result.json of a trial whose state is COMPLETE. All scores and costs are present."""

    value: float = field()  # without field() the None of TrialResult would stay the default
    val_accuracy: float = field()
    val_loss: float = field()
    architecture: str = field()
    parameters: int = field()
    macs: int = field()


@dataclass(frozen=True)
class Baseline:
    """Test accuracy of a simple classifier on the same images."""

    name: str
    test_accuracy: float


@dataclass(frozen=True)
class Preprocessing:
    """How a network expects its images, and what its outputs stand for.

    The record of every trained network has it, and the metadata of its weights as JSON text.

    Attributes:
        image_size: height and width of an image in pixels.
        channels: 1 (greys) or 3 (RGB).
        mean: mean of each channel, with pixel values scaled to 0..1. It is subtracted first.
        std: standard deviation of each channel, in the same unit. The difference is divided by it.
        classes: names of the classes, in the order of the outputs.
    """

    image_size: int
    channels: int
    mean: list[float]
    std: list[float]
    classes: list[str]


@dataclass(frozen=True)
class FinalResult:
    """final.json: the outcome of the final training of a promoted trial.

    `val_accuracy` and `val_loss` are those of the trial. The test scores are None if training ended early or the data
    set has no test part.
    """

    trial: int
    state: State
    val_accuracy: float
    val_loss: float
    architecture: str
    parameters: int
    macs: int
    latency_ms: float | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None
    test_n: int | None = None
    baseline: Baseline | None = None
    preprocessing: Preprocessing | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Promotion:
    """promoted.json: the numbers of the trials that go on to the final training."""

    trials: list[int]


@dataclass(frozen=True)
class Repeats:
    """Several final trainings of one network, which differ in nothing but the seed.

    Attributes:
        test_accuracies: of the trainings that completed, in the order of their seeds.
        mean: of these accuracies.
        standard_deviation: of these accuracies, with n - 1.
    """

    test_accuracies: list[float]
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class Estimate:
    """A number with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BestNetwork:
    """best.json: the best promoted network. The test scores are None if the data set has no test part.

    `nasmake.report.intervals` explains the intervals. Differences to trial 0 are None if this is trial 0, or if trial 0
    has no such accuracy, as without promotion. `val_n` is None if the number of val images is not known.
    `final_seeds` is None if fewer than two final trainings were tested. Other test scores are those of the first one.
    """

    trial: int
    val_accuracy: float
    val_loss: float
    test_accuracy: float | None
    test_loss: float | None
    test_n: int
    parameters: int
    macs: int
    architecture: str
    latency_ms: float | None = None
    baseline: Baseline | None = None
    preprocessing: Preprocessing | None = None
    val_n: int | None = None
    val_interval: Estimate | None = None
    test_interval: Estimate | None = None
    val_over_trial_0: Estimate | None = None
    test_over_trial_0: Estimate | None = None
    final_seeds: Repeats | None = None


@dataclass(frozen=True)
class SupernetRecord:
    """supernet.json: the facts about a supernet that lies beside it.

    Attributes:
        search_space: name and hash of its search space.
        settings: section `supernet` of the configuration, and the number of epochs.
        data: checksums of the files of the data set that it was trained on, by name.
        reason: stage and cause, if training diverged or failed.
    """

    state: State
    search_space: dict[str, str]
    settings: dict[str, Any]
    data: dict[str, str]
    reason: str | None = None


def read_suggestion(path: Path) -> Suggestion:
    """Read a suggestion.json; see `record_of` for the error."""
    return record_of(Suggestion, read_json(path), path)


def read_result(path: Path) -> TrialResult:
    """Read a result.json, as a CompletedTrial if the trial completed; see `record_of` for the error."""
    return result_of(read_json(path), path)


def result_of(content: Mapping[str, Any], path: Path) -> TrialResult:
    """Return the content of a result.json as a record: a CompletedTrial if the trial completed.

    Raises:
        InputError: a field is missing or wrong.
    """
    return record_of(CompletedTrial if content.get("state") == COMPLETE else TrialResult, content, path)


def read_final(path: Path) -> FinalResult:
    """Read a final.json; see `record_of` for the error."""
    return record_of(FinalResult, read_json(path), path)


def read_best(path: Path) -> BestNetwork:
    """Read a best.json; see `record_of` for the error."""
    return record_of(BestNetwork, read_json(path), path)


def read_supernet(path: Path) -> SupernetRecord:
    """Read a supernet.json; see `record_of` for the error."""
    return record_of(SupernetRecord, read_json(path), path)


def read_promoted(path: Path) -> list[int]:
    """Return the numbers of the trials in a promoted.json; see `record_of` for the error."""
    return record_of(Promotion, read_json(path), path).trials


def record_of(kind: type[Record], content: Mapping[str, Any], path: Path) -> Record:
    """Return the content of a JSON file as a record, checked by the annotations of `kind`.

    Fields that `kind` does not declare, such as `provenance`, are left out. Values are not converted.

    Args:
        kind: a dataclass.
        content: the JSON object.
        path: the file, for the error.

    Raises:
        InputError: a field is missing or wrong. The line names the file, the field, its value and what is expected.
    """
    try:
        record: Record = _checked(kind, content, "")
    except _WrongFieldError as wrong:
        raise InputError(f"{path}: {wrong}; type: rm {path}, then the same command again") from None
    return record


def json_of(record: Any) -> dict[str, Any]:
    """Return a record as a JSON object, without optional fields that are None."""
    optional = {declared.name for declared in fields(record) if declared.default is None}
    return {name: value for name, value in asdict(record).items() if value is not None or name not in optional}


class _WrongFieldError(Exception):
    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{shown(name) if name else 'content'} is {value}; expected {expected}")


def _checked(annotation: Any, value: Any, name: str) -> Any:
    """Return `value` if it fits its annotation; an object that is annotated as a dataclass is built."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _checked(arguments[0], value, name)
    if origin is Literal:
        if value in arguments:
            return value
        raise _WrongFieldError(name, cut(json.dumps(value)), _expected(annotation))
    is_record = is_dataclass(annotation) or typing.is_typeddict(annotation)
    kind = dict if is_record else origin or annotation
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if not fits or (kind is float and not -LARGEST < value < LARGEST):  # NaN is not between them, either
        raise _WrongFieldError(name, cut(json.dumps(value)), EXPECTED[kind])
    if is_record:
        return _built(annotation, value, f"{name}." if name else "")
    if kind is list:
        return [_checked(arguments[0], item, f"{name}[{index}]") for index, item in enumerate(value)]
    if kind is dict:
        return {key: _checked(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    return value


def _built(kind: Any, content: Mapping[str, Any], prefix: str) -> Any:
    """Return an instance of a dataclass or TypedDict; `prefix` leads to its fields in an error."""
    hints = typing.get_type_hints(kind)
    if is_dataclass(kind):
        required = {declared.name for declared in fields(kind) if declared.default is MISSING}
    else:
        required = kind.__required_keys__
    for name in sorted(required - content.keys()):
        raise _WrongFieldError(f"{prefix}{name}", "missing", _expected(hints[name]))
    return kind(**{name: _checked(hints[name], content[name], f"{prefix}{name}") for name in hints if name in content})


def _expected(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin in (typing.Union, types.UnionType):
        return f"{_expected(arguments[0])} or null"
    is_record = is_dataclass(annotation) or typing.is_typeddict(annotation)
    return EXPECTED[dict if is_record else origin or annotation]
